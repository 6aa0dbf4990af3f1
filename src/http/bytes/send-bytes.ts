import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { type ErrorCode, FixativeError } from '../../errors.ts';
import type { Given, Storage } from '../../storage/service.ts';
import type { Exchange } from '../exchange.ts';
import { failsIfMatch, matches } from '../response/conditions.ts';
import { sendError } from '../response/send.ts';
import { type Body, describe } from './image-body.ts';
import { parseRange } from './range.ts';

/** All of it or a range, that it has not changed, or by somebody else. @param always what goes with every answer. */
export async function send(
  deps: { readonly storage: Storage },
  { request, response }: Exchange,
  body: Body,
  always: Readonly<Record<string, string>>,
): Promise<void> {
  const { etag } = body;
  const headers: Record<string, string | number> = { ETag: etag, ...always };
  if (failsIfMatch(request.headers, etag)) {
    const message = 'The image is not the one that If-Match names.';
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
      { code: 'BAD_REQUEST', message: `The image has ${bytes} bytes; the range lies outside.` },
      { 'Content-Range': `bytes */${bytes}` },
    );
    return;
  }
  const handed = await body.hand?.(request);
  if (handed) {
    await opened.discard();
    const isHere = handed.status === 200;
    // Whoever gives it says himself of which ranges; and how long it may be kept only where he finds it, for nginx would say the same of its errors.
    const { 'Cache-Control': caching, ...uncached } = headers;
    const described = isHere
      ? {
          ...uncached,
          'X-Fixative-Cache-Control': caching ?? '',
          ...without(describe(body), 'Accept-Ranges'),
        }
      : without(headers, 'ETag');
    response.writeHead(handed.status, { ...described, ...handed.headers }).end();
    return;
  }
  Object.assign(headers, describe(body));
  headers['Content-Length'] = range ? range.end - range.start + 1 : bytes;
  if (range) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${bytes}`;
  const status = range ? 206 : 200;
  await sendGiven(deps, { request, response }, await opened.take(range ?? undefined), { status, headers });
}

/** The range of a GET; of any other method there is none (RFC 9110, 14.2). If-Range compares strongly. */
function rangeOf(
  { method, headers }: IncomingMessage,
  { etag, bytes }: { etag: string; bytes: number },
): ReturnType<typeof parseRange> {
  const ifRange = headers['if-range'];
  if (method !== 'GET' || (ifRange !== undefined && ifRange !== etag)) return null;
  return parseRange(headers.range, bytes);
}

/** Begins the answer, and sends what storage has given for it. */
export async function sendGiven(
  deps: { readonly storage: Storage },
  { request, response }: Exchange,
  given: Given,
  head: { status: number; headers: Record<string, string | number> | string[] },
): Promise<void> {
  // Who has hung up meanwhile gets nothing.
  if (response.destroyed) return drop(given);
  response.writeHead(head.status, head.headers);
  if (request.method === 'HEAD') {
    drop(given);
    response.end();
  } else if ('content' in given) sendContent(deps, response, given);
  else await pipeline(given.stream, response);
}

function without<Value>(headers: Record<string, Value>, name: string): Record<string, Value> {
  const { [name]: _, ...rest } = headers;
  return rest;
}

function drop(given: Given): void {
  if ('stream' in given) given.stream.destroy();
  else given.done?.(true);
}

/** One write. The memory is free again when the system has taken all; of a client that is gone nobody knows whether it still reads. */
export function sendContent(
  { storage }: { readonly storage: Storage },
  response: ServerResponse,
  { content, done }: Extract<Given, { content: Buffer }>,
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
  if (!done && response.writableLength > 0) response.once('close', storage.hold(content));
}

const STATUS: Partial<Record<ErrorCode, number>> = { BYTES_LOST: 404, DAMAGED_IMAGE: 422 };

/** @throws what is no failure of ours to foresee. */
export function sendFailure({ log }: { readonly log: Logger }, { response }: Exchange, error: unknown): void {
  if (response.headersSent) {
    // The client hung up, or a store broke off in the middle. The length that was announced tells the client that it has a part.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE')
      log.error({ err: error }, 'broke off');
    response.destroy();
    return;
  }
  if (!(error instanceof FixativeError)) throw error;
  sendError(response, STATUS[error.code] ?? 503, error, error.retryable ? { 'Retry-After': '5' } : {});
}
