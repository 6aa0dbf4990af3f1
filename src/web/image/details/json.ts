/** Returns an object as JSON for people, without what only the cache needs. */
export const toJson = (value: object): string =>
  JSON.stringify(value, (key, each) => (key === '__typename' ? undefined : each), 2);
