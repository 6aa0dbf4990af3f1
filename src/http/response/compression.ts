import type { IncomingMessage, ServerResponse } from 'node:http';
import compression from 'compression';

/** Shorter answers leave in one packet, compressed or not. */
const THRESHOLD_BYTES = 2048;

export type Compress = (request: IncomingMessage, response: ServerResponse) => void;

/** Compresses answers of text for clients that ask for it (Accept-Encoding: br, gzip). Events and pictures are sent as they are. */
export function makeCompress(): Compress {
  const middleware = compression({
    threshold: THRESHOLD_BYTES,
    filter: (_request, response) => isText(String(response.getHeader('Content-Type') ?? '')),
  }) as unknown as (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  return (request, response) => {
    // Most programs ask for nothing, and the middleware costs every answer.
    if (request.headers['accept-encoding'] === undefined) return;
    middleware(request, response, () => {});
  };
}

const isText = (type: string) =>
  /^(application\/(json|graphql-response\+json)|text\/(html|plain))\b/i.test(type);
