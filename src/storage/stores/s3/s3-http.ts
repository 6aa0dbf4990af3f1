import type { Agent, Dispatcher } from 'undici';

interface HttpRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Record<string, string>;
  readonly body?: Dispatcher.DispatchOptions['body'];
}

/** Makes an HTTP handler for the SDK on undici. */
export function makeRequestHandler(agent: Agent) {
  return {
    async handle(request: HttpRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const query = queryOf(request.query ?? {});
      const response = await agent.request({
        origin: `${request.protocol}//${request.hostname}${request.port ? `:${request.port}` : ''}`,
        path: request.path + (query && `?${query}`),
        method: request.method as Dispatcher.HttpMethod,
        headers: request.headers,
        body: request.body ?? null,
        ...(abortSignal ? { signal: abortSignal } : {}),
      });
      const headers: Record<string, string> = {};
      for (const [header, value] of Object.entries(response.headers)) {
        if (value !== undefined) headers[header] = Array.isArray(value) ? value.join(', ') : value;
      }
      return { response: { statusCode: response.statusCode, headers, body: response.body } };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

/** Writes the query exactly as the signature does: escaped by RFC 3986, sorted. */
function queryOf(query: NonNullable<HttpRequest['query']>): string {
  const escapeText = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return Object.keys(query)
    .sort()
    .flatMap((name) => {
      const value = query[name];
      if (value === null || value === undefined) return [escapeText(name)];
      return [value].flat().map((each) => `${escapeText(name)}=${escapeText(each)}`);
    })
    .join('&');
}
