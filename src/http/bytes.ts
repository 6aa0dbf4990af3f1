import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { FixativeError } from '../errors.ts';
import { findImageBytes, type ImageBytes } from '../image/bytes.ts';
import { parseUuid } from '../image/image.ts';
import type { Storage } from '../storage/service.ts';
import { sendError } from './answer.ts';
import { parseRange } from './range.ts';

interface BytesDeps {
  readonly database: Database;
  readonly storage: Storage;
  readonly log: Logger;
}

/** `GET /images/{uuid}[/{any-name}]` */
export async function serveImage(
  deps: BytesDeps,
  exchange: { request: IncomingMessage; response: ServerResponse },
  uuidText: string,
): Promise<void> {
  const uuid = parseUuid(uuidText);
  const image = uuid && (await findImageBytes(deps.database, { uuid }));
  await serve(deps, exchange, image || null, uuidText);
}

/** `GET /generated/{filename}`: the same bytes, for clients of the older address. */
export async function serveFilename(
  deps: BytesDeps,
  exchange: { request: IncomingMessage; response: ServerResponse },
  filename: string,
): Promise<void> {
  const image =
    /^[A-Za-z0-9._-]{1,255}$/.test(filename) && (await findImageBytes(deps.database, { filename }));
  await serve(deps, exchange, image || null, filename);
}

async function serve(
  deps: BytesDeps,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  image: ImageBytes | null,
  asked: string,
): Promise<void> {
  if (!image) {
    const subject = JSON.stringify(asked.slice(0, 100));
    sendError(response, 404, {
      code: 'NOT_FOUND',
      message: `There is no image ${subject}, or it has no bytes yet.`,
    });
    return;
  }
  const { blob } = image;
  const etag = `"${blob.sha256}"`;
  // The address names bytes that never change, so whoever has them has them for good.
  const headers: Record<string, string | number> = {
    ETag: etag,
    'Cache-Control': 'public, max-age=31536000, immutable',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Cross-Origin-Resource-Policy': 'cross-origin',
  };
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  // If-Range compares strongly; a date can never match, for we send none.
  const ifRange = request.headers['if-range'];
  const range =
    ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, blob.bytes) : null;
  headers['Accept-Ranges'] = 'bytes';
  if (range === 'unsatisfiable') {
    sendError(
      response,
      416,
      { code: 'BAD_REQUEST', message: `The image has ${blob.bytes} bytes; the range lies outside.` },
      { 'Content-Range': `bytes */${blob.bytes}` },
    );
    return;
  }
  headers['Content-Type'] = blob.mimeType;
  headers['Content-Disposition'] = `inline; filename="${image.filename.replaceAll(/[^A-Za-z0-9._-]/g, '_')}"`;
  headers['Content-Length'] = range ? range.end - range.start + 1 : blob.bytes;
  if (range) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${blob.bytes}`;
  const status = range ? 206 : 200;
  try {
    const { stream } = await deps.storage.open(blob, range ?? undefined);
    if (request.method === 'HEAD') {
      stream.destroy();
      response.writeHead(status, headers).end();
      return;
    }
    response.writeHead(status, headers);
    await pipeline(stream, response);
  } catch (error) {
    if (response.headersSent) {
      // The client hung up, or a store broke off in the middle. The length that was announced tells the client that it has a part.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE')
        deps.log.error({ err: error }, 'broke off');
      response.destroy();
      return;
    }
    if (!(error instanceof FixativeError)) throw error;
    sendError(
      response,
      error.code === 'BYTES_LOST' ? 404 : 503,
      error,
      error.retryable ? { 'Retry-After': '5' } : {},
    );
  }
}

/** Weak comparison, as RFC 9110, 13.1.2 wants it of If-None-Match. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}
