import type { Readable } from 'node:stream';
import { FixativeError, InputError } from '../../errors.ts';
import type { DirectoryArrivals } from '../../storage/arrivals/directory.ts';
import type { ImageDeps } from '../image.ts';
import { requireTarget, type UploadTarget } from './upload-target.ts';

interface ReceiveDeps extends ImageDeps {
  readonly arrivals: DirectoryArrivals;
}

/**
 * Returns a target that may receive bytes at our own address now.
 * @throws NotFoundError; FixativeError CONFLICT when it is closed or its bytes must be sent elsewhere.
 */
export async function requireReceivable(deps: ReceiveDeps, id: string): Promise<UploadTarget> {
  const target = await requireTarget(deps, id, null);
  if (target.completedAt)
    throw new FixativeError(
      'CONFLICT',
      'This target is closed: it was completed or refused. Create a new one.',
    );
  if (target.kind !== deps.arrivals.kind)
    throw new FixativeError(
      'CONFLICT',
      'The bytes of this target must be sent to another address: its `url`.',
    );
  return target;
}

/**
 * Receives the bytes of a target. Bytes that are sent again before it is completed replace the earlier ones.
 * @throws InputError MISMATCH when size or hash differ from the announcement; TooLargeError; what
 *   spooler.receive throws.
 */
export async function receiveUpload(
  deps: ReceiveDeps,
  target: UploadTarget,
  body: Readable,
): Promise<{ bytes: number; sha256: string }> {
  const bytes = Number(target.bytes);
  const spool = await deps.storage.spooler.receive(body, { maxBytes: bytes, subject: 'The body' });
  try {
    if (spool.bytes !== bytes)
      throw new InputError(
        'MISMATCH',
        `The body has ${spool.bytes} bytes; ${bytes} were announced. Send the announced file.`,
      );
    if (target.sha256 && spool.sha256 !== target.sha256) {
      throw new InputError(
        'MISMATCH',
        `The body has the SHA-256 ${spool.sha256}; ${target.sha256} was announced.`,
      );
    }
    await deps.arrivals.keep(target.id, spool);
  } finally {
    await spool.discard();
  }
  // The target may have been closed while the bytes arrived, and its directory cleared before that.
  try {
    await requireReceivable(deps, target.id);
  } catch (error) {
    await deps.arrivals.remove(target.id);
    throw error;
  }
  return { bytes, sha256: spool.sha256 };
}
