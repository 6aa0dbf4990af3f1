import { v7 as uuidV7 } from 'uuid';
import type { Queryable } from '../../database/database.ts';
import { isDataError } from '../../database/driver/errors.ts';
import { DuplicateError, InputError, NotFoundError } from '../../errors.ts';
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
import { exactFilename, makeFilename, originalNameOf } from './filename.ts';
import { keepProvenance } from './provenance.ts';

/** An image that does not exist yet. */
export interface NewImage extends Omit<ImageRecord, 'visibility'> {
  /** The server's default, without it. */
  readonly visibility?: Visibility | null;
  readonly origin: ImageOrigin;
  /** Where it is empty, and where no model is given, what the picture itself says is taken. */
  readonly prompt: string;
  readonly filename: string;
  /** Name of the file as its sender wrote it; without it, that of `filename`, unless a tool proposed that. */
  readonly originalFilename?: string | null;
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
  readonly alsoRecord?: (transaction: Queryable, image: Image) => Promise<void>;
  /** The filename is one that was given here before, and is kept to, unless another image has it. */
  readonly keepsName?: boolean;
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
  const { onDuplicate = 'create', alsoRecord, visibility, keepsName = false, ...columns } = rest;
  const provenance = await readProvenance(spool);
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
    const keptName = known || !keepsName ? null : await freeName(transaction, filename, blob.mimeType);
    const recorded =
      known ??
      (await insertImage(transaction, {
        ...columns,
        originalFilename: originalOf(image),
        n: image.n === undefined ? 1 : image.n,
        visibility: visibility ?? deps.defaultVisibility,
        prompt: image.prompt || (provenance.prompt ?? ''),
        model: image.model ?? provenance.model,
        metadata,
        createdAt: createdAt instanceof Date ? createdAt.toISOString() : createdAt,
        uuid,
        ...keptColumns({ uuid, filename }, blob, storeName, keptName),
      }));
    await alsoRecord?.(transaction, recorded);
    return recorded;
  };
  return deps.storage.put(spool, record).catch(explainDataFault);
}

function originalOf({ origin, filename, originalFilename }: NewImage): string | null {
  if (originalFilename !== undefined) return originalFilename;
  return origin === 'generated' ? null : originalNameOf(filename);
}

/** What the database cannot hold is a matter of what is said of this one image. */
export function explainDataFault(error: unknown): never {
  if (!isDataError(error)) throw error;
  const message =
    'The database cannot hold what is said of the image: a number, time, name or text is beyond what it takes, or taken.';
  throw new InputError('INVALID_INPUT', message, { cause: error });
}

/** The columns of a new image by the names of its properties, in the order of the parameters; in others the database's defaults are right. */
const NEW_COLUMNS = {
  uuid: 'uuid',
  requestId: 'request_id',
  userId: 'user_id',
  username: 'username',
  toolName: 'tool_name',
  prompt: 'prompt',
  revisedPrompt: 'revised_prompt',
  origin: 'origin',
  provider: 'provider',
  model: 'model',
  size: 'size',
  quality: 'quality',
  style: 'style',
  n: 'n',
  filename: 'filename',
  originalFilename: 'original_filename',
  storageUrl: 'storage_url',
  storageProvider: 'storage_provider',
  originalUrl: 'original_url',
  mimeType: 'mime_type',
  bytes: 'bytes',
  sha256: 'sha256',
  width: 'width',
  height: 'height',
  thumbhash: 'thumbhash',
  tags: 'tags',
  status: 'status',
  messageId: 'message_id',
  blobId: 'blob_id',
  visibility: 'visibility',
  parentId: 'parent_id',
  partOf: 'part_of',
  part: 'part',
} as const;
type NewColumn = keyof typeof NEW_COLUMNS;
const NEW_COLUMN_NAMES = Object.keys(NEW_COLUMNS) as NewColumn[];
const LAST = NEW_COLUMN_NAMES.length;

// JSON and times as text, for what JavaScript reads and writes again is not what it was: lists are ordered by microseconds.
const INSERT = `INSERT INTO generated_images AS i (${Object.values(NEW_COLUMNS).join(', ')}, metadata, created_at)
  VALUES (${NEW_COLUMN_NAMES.map((_, at) => `$${at + 1}`).join(', ')}, $${LAST + 1}::text::jsonb, coalesce($${LAST + 2}::text::timestamptz, now()))
  RETURNING ${IMAGE_COLUMNS}`;

/** @param image what is not said of it is NULL; `storageUrl` is then '', and `createdAt` now. */
export async function insertImage(
  transaction: Queryable,
  image: { readonly [Column in NewColumn]?: unknown } & {
    readonly metadata: Readonly<Record<string, unknown>> | null;
    readonly createdAt?: string | undefined;
  },
): Promise<Image> {
  const { metadata, createdAt, storageUrl = '' } = image;
  const columns: typeof image = { ...image, storageUrl };
  const [row] = await transaction.query<ImageRow>(INSERT, [
    ...NEW_COLUMN_NAMES.map((name) => columns[name] ?? null),
    metadata === null ? null : JSON.stringify(metadata),
    createdAt ?? null,
  ]);
  return imageOf(row as ImageRow);
}

const SAME = `SELECT ${IMAGE_COLUMNS} FROM generated_images i
  WHERE i.sha256 = $1 AND i.user_id = $2 AND i.deleted_at IS NULL AND i.status = 'success' AND ($3::text IS NULL OR i.visibility = $3::text)
  ORDER BY i.id LIMIT 1`;

/** The first image that the user has of these bytes. What is to be given again must be as visible as it is said to be. */
async function findSame(
  transaction: Queryable,
  sha256: string,
  { userId, visibility, onDuplicate }: Pick<NewImage, 'userId' | 'visibility'> & IngestOptions,
): Promise<Image | null> {
  const visible = onDuplicate === 'reuse' ? (visibility ?? null) : null;
  const [row] = await transaction.query<ImageRow>(SAME, [sha256, userId, visible]);
  return row ? imageOf(row) : null;
}

/** An image whose row is there and waits for its bytes. */
export interface WaitingImage extends Pick<IngestOptions, 'alsoRecord'> {
  /** Done in the same transaction, before the image is touched. */
  readonly recordFirst?: (transaction: Queryable) => Promise<void>;
  readonly id: bigint;
  readonly uuid: string;
  readonly filename: string;
  /** Name of the file as its sender wrote it, where it has one. */
  readonly originalFilename?: string | null;
  /** The filename is kept to, but for its ending, unless another image has it. */
  readonly exact?: boolean;
  /** What was learnt with the bytes; without it, these stay as they are. */
  readonly learnt?: {
    readonly revisedPrompt: string | null;
    readonly originalUrl: string | null;
    /** Added to what the client says, which stays as it is said, also meanwhile. */
    readonly metadata: Readonly<Record<string, unknown>>;
  };
}

/** The same for an image whose row is there already. */
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
    const kept = keptColumns(image, blob, storeName, exact);
    const { learnt } = image;
    const [row] = await transaction.query<ImageRow>(UPDATE, [
      image.id,
      ...KEPT_NAMES.map((name) => kept[name]),
      learnt !== undefined,
      learnt?.revisedPrompt ?? null,
      learnt?.originalUrl ?? null,
      learnt ? JSON.stringify(learnt.metadata) : null,
      image.originalFilename ?? null,
    ]);
    if (!row) throw new NotFoundError(`The image ${image.uuid} was removed before it had its bytes.`);
    const recorded = imageOf(row);
    await image.alsoRecord?.(transaction, recorded);
    return recorded;
  });
}

const KEPT_NAMES = [
  ...['status', 'filename', 'storageUrl', 'storageProvider', 'blobId'],
  ...['sha256', 'bytes', 'mimeType', 'width', 'height', 'thumbhash'],
] as (keyof ReturnType<typeof keptColumns> & NewColumn)[];
const LEARNT = KEPT_NAMES.length + 2;

// Names carry a time in milliseconds, and two of one are not rare under load: the second looks when the first has its name.
const LOCK_NAME = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL AS taken';
const IS_TAKEN = 'SELECT id FROM generated_images WHERE filename = $1 AND id IS DISTINCT FROM $2::bigint';
const UPDATE = `UPDATE generated_images AS i SET ${KEPT_NAMES.map((name, at) => `${NEW_COLUMNS[name]} = $${at + 2}`).join(', ')},
    revised_prompt = CASE WHEN $${LEARNT}::boolean THEN $${LEARNT + 1}::text ELSE revised_prompt END,
    original_url = CASE WHEN $${LEARNT}::boolean THEN $${LEARNT + 2}::text ELSE original_url END,
    metadata = CASE WHEN $${LEARNT}::boolean THEN $${LEARNT + 3}::text::jsonb || coalesce(metadata, '{}') ELSE metadata END,
    original_filename = coalesce($${LEARNT + 4}::text, original_filename), error = NULL, error_code = NULL, error_retryable = NULL, updated_at = now()
  WHERE i.id = $1 RETURNING ${IMAGE_COLUMNS}`;

/** A name as it was exported, or null where it is another image's by now, or none that was given here without the end of an id. */
async function freeName(transaction: Queryable, name: string, mimeType: string): Promise<string | null> {
  return exactFilename(name, mimeType) === name ? claimName(transaction, name, null) : null;
}

/** @param imageId whose it may be already; null: nobody's. @returns null where another image has it. */
async function claimName(
  transaction: Queryable,
  name: string,
  imageId: bigint | null,
): Promise<string | null> {
  await transaction.query(LOCK_NAME, [`fixative:filename:${name}`]);
  return (await transaction.query(IS_TAKEN, [name, imageId])).length > 0 ? null : name;
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
