import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import type { UploadAddress } from '../../auth/upload-address.ts';
import { type ErrorCode, FixativeError, TooLargeError } from '../../errors.ts';
import type { ImageDeps } from '../../image/image.ts';
import { receiveUpload, requireReceivable } from '../../image/upload/receive-upload.ts';
import type { UploadTarget } from '../../image/upload/upload-target.ts';
import type { DirectoryArrivals } from '../../storage/arrivals/directory.ts';
import { begin } from '../body/request-body.ts';
import { sendError, sendJson } from '../response/send.ts';

export interface UploadsDeps extends ImageDeps {
  readonly place: DirectoryArrivals;
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
 * `PUT /uploads/{id}?expires=…&signature=…`: the bytes of an upload target. The signature in the address takes the place of any other
 * authentication, and no cookie is looked at. The address is never logged.
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
    begin(request, response);
    const { bytes, sha256 } = await receiveUpload(deps, target, bodyOf(request));
    sendJson(response, 200, { bytes, sha256 });
  } catch (error) {
    if (!(error instanceof FixativeError)) throw error;
    const headers = error.retryable ? { 'Retry-After': '5' } : undefined;
    sendError(response, STATUS[error.code] ?? 400, error, headers);
  }
}

/** Refuses by its headers what would be refused by its body, before a byte of that is read. */
function checkHeaders({ headers }: IncomingMessage, target: UploadTarget): void {
  const announced = Number(target.bytes);
  const coding = headers['content-encoding'];
  if (coding && coding !== 'identity')
    throw new FixativeError('UNSUPPORTED_TYPE', 'Send the bytes as they are, without a Content-Encoding.');
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type && type !== target.mimeType) {
    throw new FixativeError(
      'UNSUPPORTED_TYPE',
      `The Content-Type is ${type.slice(0, 100)}; ${target.mimeType} was announced.`,
    );
  }
  const length = headers['content-length'];
  if (length === undefined || Number(length) === announced) return;
  const message = `The body has ${length} bytes; ${announced} were announced.`;
  if (Number(length) < announced) throw new FixativeError('MISMATCH', message);
  throw new TooLargeError(message, { limit: announced, actual: Number(length), unit: 'bytes' });
}

/** The body apart from its request: whoever gives up on the one must not cut the connection, over which the answer still goes. */
function bodyOf(request: IncomingMessage): Readable {
  const body = new PassThrough();
  const breakOff = () => {
    if (!request.readableEnded) body.destroy(new Error('the connection was closed'));
  };
  request.once('error', (error) => body.destroy(error));
  request.once('close', breakOff);
  // Whoever hung up while the target was looked up is not heard of again.
  if (request.destroyed) breakOff();
  return request.pipe(body);
}
