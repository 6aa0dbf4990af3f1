import type { Readable } from 'node:stream';
import { FixativeError, InputError } from '../../errors.ts';
import type { DirectoryArrivals } from '../../storage/arrivals/directory.ts';
import type { ImageDeps } from '../image.ts';
import { requireTarget, type UploadTarget } from './upload-target.ts';

interface ReceiveDeps extends ImageDeps {
  readonly place: DirectoryArrivals;
}

/**
 * The target whose bytes may arrive at our own address now.
 * @throws NotFoundError; FixativeError CONFLICT when it is completed or belongs to another place.
 */
export async function requireReceivable(deps: ReceiveDeps, id: string): Promise<UploadTarget> {
  const target = await requireTarget(deps, id, null);
  if (target.completedAt)
    throw new FixativeError(
      'CONFLICT',
      'This target is closed: it was completed or refused. Create a new one.',
    );
  if (target.kind !== deps.place.kind)
    throw new FixativeError('CONFLICT', 'The bytes of this target are to be sent elsewhere: to its `url`.');
  return target;
}

/**
 * Takes in what is sent for a target; sent again before it is completed, it replaces what was sent before.
 * @throws InputError MISMATCH when the number of bytes or the hash is not as announced; TooLargeError; what spooler.receive throws.
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
      throw new InputError('MISMATCH', `The body has ${spool.bytes} bytes; ${bytes} were announced.`);
    if (target.sha256 && spool.sha256 !== target.sha256) {
      throw new InputError(
        'MISMATCH',
        `The body has the SHA-256 ${spool.sha256}; ${target.sha256} was announced.`,
      );
    }
    await deps.place.keep(target.id, spool);
  } finally {
    await spool.discard();
  }
  // While the bytes came, the target may have been closed, and whoever closed it has cleared away what was there then.
  try {
    await requireReceivable(deps, target.id);
  } catch (error) {
    await deps.place.remove(target.id);
    throw error;
  }
  return { bytes, sha256: spool.sha256 };
}
