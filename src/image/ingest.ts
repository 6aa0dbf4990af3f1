import { v7 as uuidV7 } from 'uuid';
import type { PrismaTransaction } from '../database/database.ts';
import { Prisma } from '../database/generated/client/client.ts';
import { DuplicateError } from '../errors.ts';
import { readProvenance } from '../provenance/provenance.ts';
import type { Blob } from '../storage/blob.ts';
import type { Storage } from '../storage/service.ts';
import type { Spool } from '../storage/spool.ts';
import { makeFilename } from './filename.ts';
import type { Image, ImageOrigin } from './image.ts';
import type { ImageRecord } from './input.ts';
import { keepProvenance } from './provenance.ts';

/** An image that does not exist yet. */
export interface NewImage extends ImageRecord {
  readonly origin: ImageOrigin;
  /** Where it is empty, and where no model is given, what the picture itself says is taken. */
  readonly prompt: string;
  readonly filename: string;
  readonly model?: string | null;
  readonly originalUrl?: string | null;
  /** What an image had before, where it comes back; nobody may have the uuid now. */
  readonly former?: FormerImage | null;
}

export interface FormerImage {
  readonly uuid?: string;
  /** ISO 8601, to the microsecond. */
  readonly createdAt: string;
  readonly revisedPrompt?: string | null;
  readonly provider?: string | null;
  readonly size?: string | null;
  readonly quality?: string | null;
  readonly style?: string | null;
}

/**
 * What becomes of bytes of which the same user has an image already, in the trash not counted: that image again, one more, or a
 * DuplicateError.
 */
export type OnDuplicate = 'reuse' | 'create' | 'error';

/**
 * The only way in which bytes become an image. They are proven to be a whole picture and put into every required store; then
 * blob, copies and image are recorded in one transaction. The spool still belongs to the caller.
 * @param image.onDuplicate `create` without it. Two that arrive at once see each other: `put` takes one of the same bytes at a time.
 * @throws what storage.put throws, and DuplicateError; no image is recorded then.
 */
export async function ingest(
  deps: { storage: Storage },
  spool: Spool,
  image: NewImage & { readonly onDuplicate?: OnDuplicate },
): Promise<Image> {
  const { filename, metadata, onDuplicate = 'create', former, ...columns } = image;
  const { uuid = uuidV7(), ...before } = former ?? {};
  const provenance = await readProvenance(spool.path);
  return deps.storage.put(spool, async (transaction, blob, storeName) => {
    await keepProvenance(transaction, blob.id, provenance);
    const known = onDuplicate === 'create' ? null : await findSame(transaction, blob.sha256, image.userId);
    if (known && onDuplicate === 'error') {
      throw new DuplicateError(
        `The user has these bytes already, as image ${known.uuid}. Say onDuplicate: REUSE to get it, or CREATE for one more.`,
        known.uuid,
      );
    }
    if (known) return known;
    const created = await transaction.image.create({
      data: {
        ...columns,
        ...before,
        ...(former ? { createdAt: new Date(former.createdAt) } : {}),
        prompt: image.prompt || (provenance.prompt ?? ''),
        model: image.model ?? provenance.model,
        metadata: metadata === null ? Prisma.DbNull : (metadata as Prisma.InputJsonObject),
        uuid,
        n: 1,
        ...keptColumns({ uuid, filename }, blob, storeName),
      },
    });
    // Prisma's client has no microseconds, and lists are ordered by them.
    if (former) await transaction.$executeRawUnsafe(SET_TIME, former.createdAt, created.id);
    return created;
  });
}

const SET_TIME = 'UPDATE generated_images SET created_at = $1::text::timestamptz WHERE id = $2::bigint';

/** The first image that the user has of these bytes. */
function findSame(transaction: PrismaTransaction, sha256: string, userId: string): Promise<Image | null> {
  return transaction.image.findFirst({
    where: { sha256, userId, deletedAt: null, status: 'success' },
    orderBy: { id: 'asc' },
  });
}

/** The same for an image whose row is there already and waits for its bytes. `more` is what was learnt with them. */
export async function ingestInto(
  deps: { storage: Storage },
  spool: Spool,
  image: { id: bigint; uuid: string; filename: string; more: Prisma.ImageUncheckedUpdateInput },
): Promise<Image> {
  const provenance = await readProvenance(spool.path);
  return deps.storage.put(spool, async (transaction: PrismaTransaction, blob, storeName) => {
    await keepProvenance(transaction, blob.id, provenance);
    return transaction.image.update({
      where: { id: image.id },
      data: {
        ...image.more,
        error: null,
        errorCode: null,
        errorRetryable: null,
        ...keptColumns(image, blob, storeName),
      },
    });
  });
}

/** What the row says once its bytes are safe. The address is ours and relative, so that it cannot expire. */
function keptColumns(
  image: { uuid: string; filename: string },
  blob: Omit<Blob, 'copies'>,
  storeName: string,
) {
  const filename = makeFilename(image.filename, { uuid: image.uuid, mimeType: blob.mimeType });
  return {
    status: 'success',
    filename,
    storageUrl: `/images/${image.uuid}/${filename}`,
    storageProvider: storeName,
    blobId: BigInt(blob.id),
    sha256: blob.sha256,
    bytes: blob.bytes,
    mimeType: blob.mimeType,
    width: blob.width,
    height: blob.height,
    thumbhash: blob.thumbhash,
  };
}
