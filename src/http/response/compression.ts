import type { IncomingMessage, ServerResponse } from 'node:http';
import compression from 'compression';

/** A shorter response fits one packet, compressed or not. */
const THRESHOLD_BYTES = 2048;

export type Compress = (request: IncomingMessage, response: ServerResponse) => void;

/** Compresses text responses for clients that accept it (br, gzip). Events and images are not compressed. */
export function makeCompress(): Compress {
  const middleware = compression({
    threshold: THRESHOLD_BYTES,
    filter: (_request, response) => isText(String(response.getHeader('Content-Type') ?? '')),
  }) as unknown as (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
  return (request, response) => {
    // Most programs accept no compression, and the middleware costs time for every response.
    if (request.headers['accept-encoding'] === undefined) return;
    middleware(request, response, () => {});
  };
}

const isText = (type: string) =>
  /^(application\/(json|graphql-response\+json)|text\/(html|plain))\b/i.test(type);
