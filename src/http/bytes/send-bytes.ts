import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { type ErrorCode, FixativeError } from '../../errors.ts';
import type { ServedBlob, Storage } from '../../storage/service.ts';
import type { Exchange } from '../exchange.ts';
import { failsIfMatch, matches } from '../response/conditions.ts';
import { sendError } from '../response/send.ts';
import { type Body, contentHeadersOf } from './image-body.ts';
import { parseRange } from './range.ts';

/**
 * Sends an image: all of it or a range, 304, 412, 416, or by another server.
 * @param always headers of every response.
 */
export async function sendImage(
  deps: { readonly storage: Storage },
  { request, response }: Exchange,
  body: Body,
  always: Readonly<Record<string, string>>,
): Promise<void> {
  const { etag } = body;
  const headers: Record<string, string | number> = { ETag: etag, ...always };
  if (failsIfMatch(request.headers, etag)) {
    const message = 'The ETag of the image differs from If-Match.';
    return sendError(response, 412, { code: 'CONFLICT', message }, { ETag: etag });
  }
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const opened = await body.open();
  const { bytes } = opened;
  const range = rangeOf(request, { etag, bytes });
  if (range === 'unsatisfiable') {
    await opened.discard();
    sendError(
      response,
      416,
      { code: 'BAD_REQUEST', message: `The range lies outside of the ${bytes} bytes of the image.` },
      { 'Content-Range': `bytes */${bytes}` },
    );
    return;
  }
  const delegated = await body.delegate?.(request);
  if (delegated) {
    await opened.discard();
    const isAccel = delegated.status === 200;
    // nginx sets the headers of ranges itself. It adds Cache-Control only to bytes: in its errors it would be
    // wrong.
    const { 'Cache-Control': caching, ...uncached } = headers;
    const described = isAccel
      ? {
          ...uncached,
          'X-Fixative-Cache-Control': caching ?? '',
          ...without(contentHeadersOf(body), 'Accept-Ranges'),
        }
      : without(headers, 'ETag');
    response.writeHead(delegated.status, { ...described, ...delegated.headers }).end();
    return;
  }
  Object.assign(headers, contentHeadersOf(body));
  headers['Content-Length'] = range ? range.end - range.start + 1 : bytes;
  if (range) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${bytes}`;
  const status = range ? 206 : 200;
  await sendBytes(deps, { request, response }, await opened.take(range ?? undefined), { status, headers });
}

/**
 * Returns the range of a GET. Other methods have none (RFC 9110, 14.2). If-Range uses the strong comparison.
 */
function rangeOf(
  { method, headers }: IncomingMessage,
  { etag, bytes }: { etag: string; bytes: number },
): ReturnType<typeof parseRange> {
  const ifRange = headers['if-range'];
  if (method !== 'GET' || (ifRange !== undefined && ifRange !== etag)) return null;
  return parseRange(headers.range, bytes);
}

/** Sends the head and the bytes from storage. */
export async function sendBytes(
  deps: { readonly storage: Storage },
  { request, response }: Exchange,
  source: ServedBlob,
  head: { status: number; headers: Record<string, string | number> | string[] },
): Promise<void> {
  // The client has hung up.
  if (response.destroyed) return drop(source);
  response.writeHead(head.status, head.headers);
  if (request.method === 'HEAD') {
    drop(source);
    response.end();
  } else if ('content' in source) sendContent(deps, response, source);
  else await pipeline(source.stream, response);
}

function without<Value>(headers: Record<string, Value>, name: string): Record<string, Value> {
  const { [name]: _, ...rest } = headers;
  return rest;
}

function drop(source: ServedBlob): void {
  if ('stream' in source) source.stream.destroy();
  else source.done?.(true);
}

/**
 * Sends bytes in one write. `done` is told whether the system has taken them all, and the memory can be
 * reused. After a client has hung up that is unknown.
 */
export function sendContent(
  { storage }: { readonly storage: Storage },
  response: ServerResponse,
  { content, done }: Extract<ServedBlob, { content: Buffer }>,
): void {
  if (done) {
    let sent = false;
    response.once('finish', () => {
      sent = true;
      done(true);
    });
    response.once('close', () => {
      if (!sent) done(false);
    });
  }
  response.end(content);
  if (!done && response.writableLength > 0) response.once('close', storage.holdUnsent(content));
}

const STATUS: Partial<Record<ErrorCode, number>> = { BYTES_LOST: 404, DAMAGED_IMAGE: 422 };

/** Answers an error of storage. @throws any other error. */
export function sendFailure({ log }: { readonly log: Logger }, { response }: Exchange, error: unknown): void {
  if (response.headersSent) {
    // The client hung up, or a store failed midway. Content-Length tells the client that bytes are missing.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE')
      log.error({ err: error }, 'a response with the bytes of an image was interrupted');
    response.destroy();
    return;
  }
  if (!(error instanceof FixativeError)) throw error;
  sendError(response, STATUS[error.code] ?? 503, error, error.retryable ? { 'Retry-After': '5' } : {});
}
