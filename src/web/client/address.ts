/** Path of the gallery: `/`, or the path of PUBLIC_URL that a proxy strips. It starts and ends with `/`. */
export const basePath = new URL(document.baseURI).pathname;

/** Returns the absolute URL of a path of this server, such as `graphql`. */
export const addressOf = (path: string) => new URL(path, document.baseURI).href;
