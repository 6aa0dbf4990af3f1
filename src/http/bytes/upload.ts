import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import type { UploadAddress } from '../../auth/upload-address.ts';
import { type ErrorCode, FixativeError, TooLargeError } from '../../errors.ts';
import type { ImageDeps } from '../../image/image.ts';
import { receiveUpload, requireReceivable } from '../../image/upload/receive-upload.ts';
import type { UploadTarget } from '../../image/upload/upload-target.ts';
import type { DirectoryArrivals } from '../../storage/arrivals/directory.ts';
import { sendContinue } from '../body/request-body.ts';
import { sendError, sendJson } from '../response/send.ts';

export interface UploadsDeps extends ImageDeps {
  /** Directory that the bytes are received into. */
  readonly arrivals: DirectoryArrivals;
  readonly uploadAddress: UploadAddress;
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  FORBIDDEN: 403,
  EXPIRED: 403,
  NOT_FOUND: 404,
  INVALID_ID: 404,
  CONFLICT: 409,
  TOO_LARGE: 413,
  UNSUPPORTED_TYPE: 415,
  OVERLOADED: 503,
  STORE_UNAVAILABLE: 503,
  NO_SPACE: 507,
};

/**
 * `PUT /uploads/{id}?expires=…&signature=…`: receives the bytes of an upload target. The signature of the URL
 * replaces all other authentication, and cookies are ignored. The URL is never logged.
 */
export async function serveUpload(
  deps: UploadsDeps,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  address: { id: string; query: URLSearchParams },
): Promise<void> {
  try {
    deps.uploadAddress.check(address.id, address.query);
    const target = await requireReceivable(deps, address.id);
    checkHeaders(request, target);
    await deps.storage.requireSpace();
    sendContinue(request, response);
    const { bytes, sha256 } = await receiveUpload(deps, target, bodyOf(request));
    sendJson(response, 200, { bytes, sha256 });
  } catch (error) {
    if (!(error instanceof FixativeError)) throw error;
    const headers = error.retryable ? { 'Retry-After': '5' } : undefined;
    sendError(response, STATUS[error.code] ?? 400, error, headers);
  }
}

/** Refuses a request by its headers, before the body is read. */
function checkHeaders({ headers }: IncomingMessage, target: UploadTarget): void {
  const announced = Number(target.bytes);
  const coding = headers['content-encoding'];
  if (coding && coding !== 'identity')
    throw new FixativeError('UNSUPPORTED_TYPE', 'Send the bytes without a Content-Encoding.');
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type && type !== target.mimeType) {
    throw new FixativeError(
      'UNSUPPORTED_TYPE',
      `The Content-Type is ${type.slice(0, 100)}, but the upload target is for ${target.mimeType}.`,
    );
  }
  const length = headers['content-length'];
  if (length === undefined || Number(length) === announced) return;
  const message = `The body has ${length} bytes, but the upload target is for ${announced}.`;
  if (Number(length) < announced) throw new FixativeError('MISMATCH', message);
  throw new TooLargeError(message, { limit: announced, actual: Number(length), unit: 'bytes' });
}

/**
 * Returns a stream of the body. Destroying it does not close the connection, which the response still needs.
 */
function bodyOf(request: IncomingMessage): Readable {
  const body = new PassThrough();
  const destroyBody = () => {
    if (!request.readableEnded) body.destroy(new Error('the connection was closed'));
  };
  request.once('error', (error) => body.destroy(error));
  request.once('close', destroyBody);
  // The client may have hung up during the look-up of the target. `close` does not come again then.
  if (request.destroyed) destroyBody();
  return request.pipe(body);
}
