import { v7 as uuidV7 } from 'uuid';
import type { Queryable } from '../../database/database.ts';
import { isDataError } from '../../database/driver/errors.ts';
import { DuplicateError, InputError, NotFoundError } from '../../errors.ts';
import type { Provenance } from '../../provenance/provenance.ts';
import { readProvenance } from '../../provenance/read-provenance.ts';
import type { Blob } from '../../storage/blob.ts';
import type { Recorder, Storage } from '../../storage/service.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import {
  IMAGE_COLUMNS,
  type Image,
  type ImageOrigin,
  type ImageRow,
  imageOf,
  type Visibility,
} from '../image.ts';
import type { ImageRecord } from '../input.ts';
import { claimExportedName, claimName } from './claim-name.ts';
import { exactFilename, makeFilename, originalNameOf } from './filename.ts';
import { insertImage, NEW_COLUMNS, type NewColumn } from './insert-image.ts';
import { keepProvenance } from './provenance.ts';

/** An image to record. */
export interface NewImage extends Omit<ImageRecord, 'visibility'> {
  /** Default: DEFAULT_VISIBILITY. */
  readonly visibility?: Visibility | null;
  readonly origin: ImageOrigin;
  /** When empty, the prompt in the file itself is used, if there is one. The same holds for `model`. */
  readonly prompt: string;
  readonly filename: string;
  /** Name of the file as its sender wrote it. Default: `filename`, unless a tool proposed that. */
  readonly originalFilename?: string | null;
  readonly model?: string | null;
  readonly originalUrl?: string | null;
  readonly revisedPrompt?: string | null;
  readonly provider?: string | null;
  readonly size?: string | null;
  readonly quality?: string | null;
  readonly style?: string | null;
  readonly n?: number | null;
  /** Id of the image that this is a part of. */
  readonly partOf?: bigint;
  /** Name of the part: `panel-1`, `original`. */
  readonly part?: string;
  readonly parentId?: bigint | null;
  /** As text: ISO 8601, to the microsecond. Default: now. */
  readonly createdAt?: Date | string;
  /** No other image may have it. Default: a new one. */
  readonly uuid?: string;
}

/**
 * Action when the user has an image of the same bytes outside the trash: return it, create another, or throw
 * a DuplicateError. When the new image names a visibility, `reuse` returns only an image of the same
 * visibility.
 */
export type OnDuplicate = 'reuse' | 'create' | 'error';

export interface IngestOptions {
  /**
   * Default: `create`. Holds for two uploads at once too: `storage.put` takes equal bytes one after the
   * other.
   */
  readonly onDuplicate?: OnDuplicate;
  /** Runs in the transaction that records the image. */
  readonly alsoRecord?: (transaction: Queryable, image: Image) => Promise<void>;
  /** Keeps the filename of an exported image as it is, unless another image has it. */
  readonly keepsName?: boolean;
}

export interface IngestDeps {
  readonly storage: Storage;
  /** Visibility of images that name none. */
  readonly defaultVisibility: Visibility;
}

/**
 * Records bytes as an image; nothing else does. Proves that they are a whole picture, puts them into every
 * required store, then records blob, copies and image in one transaction. The caller must discard the spool.
 * @throws what storage.put throws; DuplicateError; InputError for values that the database cannot hold. No
 *   image is recorded then.
 */
export async function ingest(
  deps: IngestDeps,
  spool: Spool,
  image: NewImage & IngestOptions,
): Promise<Image> {
  const provenance = await readProvenance(spool);
  const record: Recorder<Image> = async (transaction, blob, storeName) => {
    await keepProvenance(transaction, blob.id, provenance);
    const recorded =
      (await findDuplicate(transaction, blob.sha256, image)) ??
      (await insertNew(transaction, { image, provenance, blob, storeName }, deps.defaultVisibility));
    await image.alsoRecord?.(transaction, recorded);
    return recorded;
  };
  return deps.storage.put(spool, record).catch(explainDataFault);
}

/** Returns the image to use instead of a new one; null: create one. @throws DuplicateError */
async function findDuplicate(
  transaction: Queryable,
  sha256: string,
  image: NewImage & IngestOptions,
): Promise<Image | null> {
  const { onDuplicate = 'create' } = image;
  if (onDuplicate === 'create') return null;
  const same = await findSame(transaction, sha256, { ...image, onDuplicate });
  if (!same || onDuplicate === 'reuse') return same;
  throw new DuplicateError(
    `The user has an image of these bytes already: ${same.uuid}. Send onDuplicate: REUSE to get it, or CREATE for another.`,
    same.uuid,
  );
}

interface NewRow {
  readonly image: NewImage & IngestOptions;
  readonly provenance: Provenance;
  readonly blob: Omit<Blob, 'copies'>;
  /** Store that holds the bytes. */
  readonly storeName: string;
}

async function insertNew(
  transaction: Queryable,
  { image, provenance, blob, storeName }: NewRow,
  defaultVisibility: Visibility,
): Promise<Image> {
  const { filename, metadata, createdAt, uuid = uuidV7(), ...rest } = image;
  const { onDuplicate: _, alsoRecord: __, visibility, keepsName = false, ...columns } = rest;
  const keptName = keepsName ? await claimExportedName(transaction, filename, blob.mimeType) : null;
  return insertImage(transaction, {
    ...columns,
    originalFilename: originalOf(image),
    n: image.n === undefined ? 1 : image.n,
    visibility: visibility ?? defaultVisibility,
    prompt: image.prompt || (provenance.prompt ?? ''),
    model: image.model ?? provenance.model,
    metadata,
    createdAt: createdAt instanceof Date ? createdAt.toISOString() : createdAt,
    uuid,
    ...storedColumns({ uuid, filename }, blob, storeName, keptName),
  });
}

function originalOf({ origin, filename, originalFilename }: NewImage): string | null {
  if (originalFilename !== undefined) return originalFilename;
  return origin === 'generated' ? null : originalNameOf(filename);
}

/** Rethrows an error; one for values that the database cannot hold becomes an InputError INVALID_INPUT. */
export function explainDataFault(error: unknown): never {
  if (!isDataError(error)) throw error;
  const message =
    'The database cannot hold the data of the image: a number, time or text is out of range, or a name or uuid is taken. Change it and try again.';
  throw new InputError('INVALID_INPUT', message, { cause: error });
}

const SAME = `SELECT ${IMAGE_COLUMNS} FROM generated_images i
  WHERE i.sha256 = $1 AND i.user_id = $2 AND i.deleted_at IS NULL AND i.status = 'success' AND ($3::text IS NULL OR i.visibility = $3::text)
  ORDER BY i.id LIMIT 1`;

/**
 * Returns the first image that the user has of these bytes; for `reuse`, only one of the requested
 * visibility.
 */
async function findSame(
  transaction: Queryable,
  sha256: string,
  { userId, visibility, onDuplicate }: Pick<NewImage, 'userId' | 'visibility'> & IngestOptions,
): Promise<Image | null> {
  const visible = onDuplicate === 'reuse' ? (visibility ?? null) : null;
  const [row] = await transaction.query<ImageRow>(SAME, [sha256, userId, visible]);
  return row ? imageOf(row) : null;
}

/** An image that has a row and waits for its bytes. */
export interface WaitingImage extends Pick<IngestOptions, 'alsoRecord'> {
  /** Runs in the same transaction, before the image is changed. */
  readonly recordFirst?: (transaction: Queryable) => Promise<void>;
  readonly id: bigint;
  readonly uuid: string;
  readonly filename: string;
  /** Name of the file as its sender wrote it; null or undefined: stays as it is. */
  readonly originalFilename?: string | null;
  /** Keeps the filename but for its extension, unless another image has it. */
  readonly exact?: boolean;
  /** Columns from the provider's response; without it, they stay as they are. */
  readonly learnt?: {
    readonly revisedPrompt: string | null;
    readonly originalUrl: string | null;
    /** Added to the client's metadata. The client's keys win, also those that it has written meanwhile. */
    readonly metadata: Readonly<Record<string, unknown>>;
  };
}

/**
 * Records bytes for an image that has a row already, like `ingest`.
 * @throws what storage.put throws; NotFoundError when it was purged.
 */
export async function ingestInto(
  deps: { storage: Storage },
  spool: Spool,
  image: WaitingImage,
): Promise<Image> {
  const provenance = await readProvenance(spool);
  return deps.storage.put(spool, async (transaction, blob, storeName) => {
    await image.recordFirst?.(transaction);
    await keepProvenance(transaction, blob.id, provenance);
    const exact = image.exact
      ? await claimName(transaction, exactFilename(image.filename, blob.mimeType), image.id)
      : null;
    const stored = storedColumns(image, blob, storeName, exact);
    const { learnt } = image;
    const [row] = await transaction.query<ImageRow>(UPDATE, [
      image.id,
      ...STORED_NAMES.map((name) => stored[name]),
      learnt !== undefined,
      learnt?.revisedPrompt ?? null,
      learnt?.originalUrl ?? null,
      learnt ? JSON.stringify(learnt.metadata) : null,
      image.originalFilename ?? null,
    ]);
    if (!row) throw new NotFoundError(`Image ${image.uuid} was purged before its bytes were stored.`);
    const recorded = imageOf(row);
    await image.alsoRecord?.(transaction, recorded);
    return recorded;
  });
}

const STORED_NAMES = [
  'status',
  'filename',
  'storageUrl',
  'storageProvider',
  'blobId',
  'sha256',
  'bytes',
  'mimeType',
  'width',
  'height',
  'thumbhash',
] as const satisfies readonly (keyof ReturnType<typeof storedColumns> & NewColumn)[];
const LEARNT = STORED_NAMES.length + 2;

const UPDATE = `UPDATE generated_images AS i SET ${STORED_NAMES.map((name, at) => `${NEW_COLUMNS[name]} = $${at + 2}`).join(', ')},
    revised_prompt = CASE WHEN $${LEARNT}::boolean THEN $${LEARNT + 1}::text ELSE revised_prompt END,
    original_url = CASE WHEN $${LEARNT}::boolean THEN $${LEARNT + 2}::text ELSE original_url END,
    metadata = CASE WHEN $${LEARNT}::boolean THEN $${LEARNT + 3}::text::jsonb || coalesce(metadata, '{}') ELSE metadata END,
    original_filename = coalesce($${LEARNT + 4}::text, original_filename), error = NULL, error_code = NULL, error_retryable = NULL, updated_at = now()
  WHERE i.id = $1 RETURNING ${IMAGE_COLUMNS}`;

/**
 * Returns the columns of an image whose bytes are stored. The address is our own and relative, so it cannot
 * expire.
 */
function storedColumns(
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
