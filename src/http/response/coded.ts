import type { Exchange } from '../exchange.ts';
import { type Coding, weightsOf } from './accept.ts';
import { matches } from './conditions.ts';

interface Coded {
  /** Headers of the response, with the ETag of this form. */
  readonly headers: Readonly<Record<string, string>> & { readonly ETag: string };
  readonly type: string;
  /** Coding of the body; null: as it is. */
  readonly coding: Coding | null;
  /** Returns the body. It is not called when the client has this form already. */
  readonly body: () => Buffer | Promise<Buffer>;
}

/** Sends a form of a file, or 304 (RFC 9110, 15.4.5) to a client that names its ETag. */
export async function sendCoded(
  { request, response }: Exchange,
  { headers, type, coding, body }: Coded,
): Promise<void> {
  if (matches(request.headers['if-none-match'], headers.ETag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const content = await body();
  response.writeHead(200, {
    ...headers,
    'Content-Type': type,
    'Content-Length': content.length,
    ...(coding === null ? {} : { 'Content-Encoding': coding }),
  });
  response.end(content);
}

/** Returns the best coding that the client of a request accepts; null: none. */
export function codingOf({ headers }: Exchange['request']): Coding | null {
  const taken = weightsOf(String(headers['accept-encoding'] ?? ''));
  const takes = (name: Coding) => (taken.get(name) ?? 0) > 0;
  if (takes('br')) return 'br';
  return takes('gzip') ? 'gzip' : null;
}
