import { open } from 'node:fs/promises';
import type { Prisma } from '../../database/generated/client/client.ts';
import { type ErrorCode, FixativeError, InputError, NotFoundError, TooLargeError } from '../../errors.ts';
import type { Arrivals } from '../../storage/arrivals/arrivals.ts';
import { SNIFF_BYTES, sniff } from '../../storage/picture/sniff.ts';
import { formatBytes } from '../../storage/spool/format-bytes.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import { findImageRow, type Image } from '../image.ts';
import { ingest } from '../ingest/ingest.ts';
import {
  COMPLETE_GRACE_SECONDS,
  requireTarget,
  type TargetRecord,
  type UploadTarget,
  type UploadTargetDeps,
} from './upload-target.ts';

/** Errors of the bytes themselves, which would repeat. They close the target. */
const REFUSALS: readonly ErrorCode[] = [
  'MISMATCH',
  'TOO_LARGE',
  'UNSUPPORTED_TYPE',
  'DAMAGED_IMAGE',
  'DUPLICATE',
];

/** Rolls back a transaction that would complete a target twice. */
class ClosedMeanwhile extends Error {}

/**
 * Checks the bytes that arrived for a target, and stores them as an image, like uploadImage. May be called
 * again, also at the same time: for a completed target it returns the image.
 *
 * Takes no lock of its own. storage.put takes equal bytes one after the other, and only one transaction finds
 * the target open. A lock around storage.put would cause a deadlock: with as many completions as connections
 * for locks, all would wait for the lock on the blob.
 *
 * @throws the error of the bytes; they are then deleted and the target is closed. After other errors the
 *   target stays open.
 */
export async function completeUpload(
  deps: UploadTargetDeps,
  idText: string,
  visibleTo: string | null,
): Promise<Image> {
  const target = await requireTarget(deps, idText, visibleTo);
  if (target.completedAt) return imageOfClosed(deps, target);
  if (Date.now() > target.expiresAt.getTime() + COMPLETE_GRACE_SECONDS * 1000)
    throw new FixativeError('EXPIRED', 'This target has expired; create a new one.', {
      path: ['input', 'target'],
    });
  const place = deps.arrivals.find(({ kind }) => kind === target.kind);
  if (!place) {
    throw new FixativeError(
      'CONFLICT',
      `The bytes of this target were to arrive at ${target.kind}, which is not configured any more. Create a new target.`,
    );
  }
  try {
    return await ingestArrival(deps, target, place);
  } catch (error) {
    const isRefused = error instanceof FixativeError && REFUSALS.includes(error.code);
    // When two calls complete the upload at the same time, the second may be refused as a duplicate.
    if (error instanceof ClosedMeanwhile || (isRefused && !(await refuse(deps, target, error))))
      return await imageOfClosed(deps, await requireTarget(deps, target.id, visibleTo));
    throw error;
  } finally {
    // After a crash or a failure here, the job for uploads deletes the bytes: they belong to no open target.
    if (await isClosed(deps, target).catch(() => false)) await place.remove(target.id).catch(() => {});
  }
}

const CLOSE = `UPDATE upload_targets SET completed_at = now(), image_id = $2 WHERE id = $1 AND completed_at IS NULL RETURNING id`;

async function ingestArrival(deps: UploadTargetDeps, target: UploadTarget, place: Arrivals): Promise<Image> {
  const spool = await fetchArrival(deps, target, place);
  try {
    await checkAnnouncement(target, spool);
    await deps.quotas.requireRoom(target.userId, { bytes: spool.bytes });
    const record = recordOf(target);
    return await ingest(deps, spool, {
      ...record,
      filename: target.filename,
      origin: 'uploaded',
      alsoRecord: async (transaction, image) => {
        const closed = await transaction.query(CLOSE, [target.id, image.id]);
        if (closed.length === 0) throw new ClosedMeanwhile();
      },
    });
  } finally {
    await spool.discard();
  }
}

async function fetchArrival(deps: UploadTargetDeps, target: UploadTarget, place: Arrivals): Promise<Spool> {
  const announced = Number(target.bytes);
  try {
    const stream = await place.open(target.id);
    return await deps.storage.spooler.receive(stream, { maxBytes: announced, subject: 'What arrived' });
  } catch (error) {
    if (error instanceof TooLargeError)
      throw new InputError('MISMATCH', `More than the announced ${formatBytes(announced)} arrived.`);
    if (error instanceof InputError && error.code === 'EMPTY_FILE')
      throw new InputError('MISMATCH', `No bytes arrived; ${announced} were announced.`);
    if (!(error instanceof NotFoundError)) throw error;
    // Another request may have completed it since it was looked up.
    if (await isClosed(deps, target)) throw new ClosedMeanwhile();
    throw new FixativeError(
      'CONFLICT',
      'Nothing has arrived for this target yet. Send the bytes to its `url`, then complete it again.',
      { retryable: true, path: ['input', 'target'], cause: error },
    );
  }
}

/** Checks that the bytes are as announced. @throws InputError MISMATCH */
async function checkAnnouncement(target: UploadTarget, spool: Spool): Promise<void> {
  if (spool.bytes !== Number(target.bytes))
    throw new InputError('MISMATCH', `${spool.bytes} bytes arrived; ${target.bytes} were announced.`);
  if (target.sha256 && spool.sha256 !== target.sha256) {
    throw new InputError(
      'MISMATCH',
      `Bytes with the SHA-256 ${spool.sha256} arrived; ${target.sha256} was announced.`,
    );
  }
  await using file = await open(spool.path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0);
  const { mimeType } = sniff(buffer.subarray(0, bytesRead));
  // Bytes that are no picture are rejected by ingest, which names their type.
  if (mimeType && mimeType !== target.mimeType)
    throw new InputError('MISMATCH', `${mimeType} arrived; ${target.mimeType} was announced.`);
}

/**
 * Closes a target because of its bytes, and adds to the error's message what the client can do.
 * @returns whether it was open.
 */
async function refuse(deps: UploadTargetDeps, target: UploadTarget, error: FixativeError): Promise<boolean> {
  error.message += ' This target is closed; create a new one to try again.';
  const { code, message } = error;
  const { count } = await deps.database.prisma.uploadTarget.updateMany({
    where: { id: target.id, completedAt: null },
    data: {
      completedAt: new Date(),
      record: { ...(target.record as Prisma.InputJsonObject), refused: { code, message } },
    },
  });
  return count > 0;
}

/** Returns the description of the target's image, as createUploadTarget or `refuse` has stored it. */
function recordOf({ record }: UploadTarget): TargetRecord {
  const stored: unknown = record;
  return stored as TargetRecord;
}

async function isClosed({ database }: UploadTargetDeps, { id }: UploadTarget): Promise<boolean> {
  const target = await database.prisma.uploadTarget.findUnique({
    where: { id },
    select: { completedAt: true },
  });
  return target?.completedAt !== null;
}

async function imageOfClosed({ database }: UploadTargetDeps, target: UploadTarget): Promise<Image> {
  const { refused } = recordOf(target);
  if (refused) throw new InputError(refused.code as ErrorCode, refused.message);
  const image = target.imageId && (await findImageRow(database, Number(target.imageId)));
  if (image && !image.deletedAt) return image;
  throw new NotFoundError('The image of this target was deleted. Create a new target.');
}
