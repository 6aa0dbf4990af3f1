import { v7 as uuidV7 } from 'uuid';
import { isDataFault } from '../database/data-fault.ts';
import type { PrismaTransaction } from '../database/database.ts';
import { Prisma } from '../database/generated/client/client.ts';
import { DuplicateError, InputError } from '../errors.ts';
import { readProvenance } from '../provenance/provenance.ts';
import type { Blob } from '../storage/blob.ts';
import type { Recorder, Storage } from '../storage/service.ts';
import type { Spool } from '../storage/spool.ts';
import { exactFilename, makeFilename } from './filename.ts';
import type { Image, ImageOrigin, Visibility } from './image.ts';
import type { ImageRecord } from './input.ts';
import { keepProvenance } from './provenance.ts';

/** An image that does not exist yet. */
export interface NewImage extends Omit<ImageRecord, 'visibility'> {
  /** The server's default, without it. */
  readonly visibility?: Visibility | null;
  readonly origin: ImageOrigin;
  /** Where it is empty, and where no model is given, what the picture itself says is taken. */
  readonly prompt: string;
  readonly filename: string;
  readonly model?: string | null;
  readonly originalUrl?: string | null;
  readonly revisedPrompt?: string | null;
  readonly provider?: string | null;
  readonly size?: string | null;
  readonly quality?: string | null;
  readonly style?: string | null;
  readonly n?: number | null;
  /** The image that it is a part of, and which. */
  readonly partOf?: bigint;
  readonly part?: string;
  readonly parentId?: bigint | null;
  /** Now, without it; as text (ISO 8601) to the microsecond. */
  readonly createdAt?: Date | string;
  /** A new one, without it; nobody may have it now. */
  readonly uuid?: string;
}

/**
 * What becomes of bytes of which the same user has an image already, in the trash not counted: that image again, one more, or a
 * DuplicateError. Where a visibility is said, only an image of that one is given again.
 */
export type OnDuplicate = 'reuse' | 'create' | 'error';

export interface IngestOptions {
  /** `create` without it. Two that arrive at once see each other: `put` takes one of the same bytes at a time. */
  readonly onDuplicate?: OnDuplicate;
  /** Runs in the transaction that records the image: both are there afterwards, or neither is. */
  readonly alsoRecord?: (transaction: PrismaTransaction, image: Image) => Promise<void>;
}

export interface IngestDeps {
  readonly storage: Storage;
  /** Of images of which nobody says otherwise. */
  readonly defaultVisibility: Visibility;
}

/**
 * The only way in which bytes become an image. They are proven to be a whole picture and put into every required store; then
 * blob, copies and image are recorded in one transaction. The spool still belongs to the caller.
 * @throws what storage.put throws, and DuplicateError; no image is recorded then.
 */
export async function ingest(
  deps: IngestDeps,
  spool: Spool,
  image: NewImage & IngestOptions,
): Promise<Image> {
  const { filename, metadata, createdAt, uuid = uuidV7(), ...rest } = image;
  const { onDuplicate = 'create', alsoRecord, visibility, ...columns } = rest;
  const provenance = await readProvenance(spool.path);
  const record: Recorder<Image> = async (transaction, blob, storeName) => {
    await keepProvenance(transaction, blob.id, provenance);
    const known =
      onDuplicate === 'create' ? null : await findSame(transaction, blob.sha256, { onDuplicate, ...image });
    if (known && onDuplicate === 'error') {
      throw new DuplicateError(
        `The user has these bytes already, as image ${known.uuid}. Say onDuplicate: REUSE to get it, or CREATE for one more.`,
        known.uuid,
      );
    }
    const recorded =
      known ??
      (await transaction.image.create({
        data: {
          n: 1,
          ...columns,
          visibility: visibility ?? deps.defaultVisibility,
          prompt: image.prompt || (provenance.prompt ?? ''),
          model: image.model ?? provenance.model,
          ...(createdAt === undefined ? {} : { createdAt: new Date(createdAt) }),
          metadata: metadata === null ? Prisma.DbNull : (metadata as Prisma.InputJsonObject),
          uuid,
          ...keptColumns({ uuid, filename }, blob, storeName),
        },
      }));
    // Prisma's client has no microseconds, and lists are ordered by them.
    if (!known && typeof createdAt === 'string')
      await transaction.$executeRawUnsafe(SET_TIME, createdAt, recorded.id);
    await alsoRecord?.(transaction, recorded);
    return recorded;
  };
  return deps.storage.put(spool, record).catch(explainDataFault);
}

/** What the database cannot hold is a matter of what is said of this one image. */
export function explainDataFault(error: unknown): never {
  if (!isDataFault(error)) throw error;
  const message =
    'The database cannot hold what is said of the image: a number, time, name or text is beyond what it takes, or taken.';
  throw new InputError('INVALID_INPUT', message, { cause: error });
}

const SET_TIME = 'UPDATE generated_images SET created_at = $1::text::timestamptz WHERE id = $2::bigint';

/** The first image that the user has of these bytes. What is to be given again must be as visible as it is said to be. */
function findSame(
  transaction: PrismaTransaction,
  sha256: string,
  { userId, visibility, onDuplicate }: Pick<NewImage, 'userId' | 'visibility'> & IngestOptions,
): Promise<Image | null> {
  const visible = visibility && onDuplicate === 'reuse' ? { visibility } : {};
  return transaction.image.findFirst({
    where: { sha256, userId, deletedAt: null, status: 'success', ...visible },
    orderBy: { id: 'asc' },
  });
}

/** An image whose row is there and waits for its bytes. */
export interface WaitingImage extends Pick<IngestOptions, 'alsoRecord'> {
  readonly id: bigint;
  readonly uuid: string;
  readonly filename: string;
  /** The filename is kept to, but for its ending, unless another image has it. */
  readonly exact?: boolean;
  /** What was learnt with the bytes. */
  readonly more: Prisma.ImageUncheckedUpdateInput;
}

/** The same for an image whose row is there already. */
export async function ingestInto(
  deps: { storage: Storage },
  spool: Spool,
  image: WaitingImage,
): Promise<Image> {
  const provenance = await readProvenance(spool.path);
  return deps.storage.put(spool, async (transaction: PrismaTransaction, blob, storeName) => {
    await keepProvenance(transaction, blob.id, provenance);
    const exact = image.exact ? exactFilename(image.filename, blob.mimeType) : null;
    const taken =
      exact !== null &&
      (await transaction.image.findFirst({
        where: { filename: exact, NOT: { id: image.id } },
        select: { id: true },
      }));
    const kept = keptColumns(image, blob, storeName, taken ? null : exact);
    const recorded = await transaction.image.update({
      where: { id: image.id },
      data: {
        ...image.more,
        error: null,
        errorCode: null,
        errorRetryable: null,
        ...kept,
      },
    });
    await image.alsoRecord?.(transaction, recorded);
    return recorded;
  });
}

/** What the row says once its bytes are safe. The address is ours and relative, so that it cannot expire. */
function keptColumns(
  image: { uuid: string; filename: string },
  blob: Omit<Blob, 'copies'>,
  storeName: string,
  exact: string | null = null,
) {
  const filename = exact ?? makeFilename(image.filename, { uuid: image.uuid, mimeType: blob.mimeType });
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
