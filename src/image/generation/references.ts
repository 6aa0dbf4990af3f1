import { readFile } from 'node:fs/promises';
import type { Database } from '../../database/database.ts';
import { atPath, InputError, TooLargeError } from '../../errors.ts';
import type { Attachment } from '../../provider/provider.ts';
import { findBlob } from '../../storage/blob.ts';
import type { Storage } from '../../storage/service.ts';
import { formatBytes } from '../../storage/spool/spool.ts';
import { findImages, type Image, type Visibility } from '../image.ts';
import { type IngestDeps, ingest } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { parseImageInput } from '../input.ts';
import type { ReceivedFile } from '../upload/upload.ts';

/** A picture to work from: an image that is kept, by its uuid, or a file of the same request. */
export type PictureSource = { readonly uuid: string } | { readonly file: Promise<ReceivedFile> };

interface ReferenceDeps extends IngestDeps {
  readonly database: Database;
  readonly quotas: Quotas;
}

const MiB = 1024 * 1024;
/** All pictures of a request together: providers take them in one body, which is made in memory. */
const MAX_REFERENCE_BYTES = 64 * MiB;

/** A picture to work from that was found, or came along. */
export interface FoundPicture {
  readonly uuid: string;
  readonly sha256: string | null;
  readonly bytes: number | null;
  readonly width: number | null;
  readonly height: number | null;
  /** The image that it is; null for a file that is not kept. */
  readonly image: Image | null;
}

export interface SourceOptions {
  /** Whose the files become. */
  readonly userId: string;
  /** Whose images may be named; null: everybody's. */
  readonly visibleTo: string | null;
  /** Of the files that are kept. */
  readonly visibility: Visibility;
  /** Takes files that are not to be kept. */
  readonly loose: LooseFiles | null;
}

/** Files of a request that are not kept, by the names that stand for their uuids. */
export type LooseFiles = Map<string, Attachment>;

/**
 * Finds the images that are named, and keeps the files that came along as images of their own, once each.
 * @param options.loose takes the files in place of that.
 * @throws InputError NOT_FOUND, CONFLICT, TooLargeError; what ingest throws. `path` says which.
 */
export async function resolveReferences(
  deps: ReferenceDeps,
  sources: readonly { readonly source: PictureSource; readonly path: readonly string[] }[],
  options: SourceOptions,
): Promise<FoundPicture[]> {
  const pictures: FoundPicture[] = [];
  for (const { source, path } of sources) {
    if ('uuid' in source) {
      const image = await requireKept(deps, { ...options, uuid: source.uuid }, path);
      pictures.push({ ...image, image });
      continue;
    }
    const at = [...path, 'file'];
    const { loose } = options;
    if (loose) {
      const taken = source.file.then((file) => takeAlong(deps, file, loose));
      pictures.push(await atPath(at, taken));
      continue;
    }
    const image = await atPath(at, keep(deps, source, options));
    pictures.push({ ...image, image });
  }
  const bytes = pictures.reduce((sum, picture) => sum + (picture.bytes ?? 0), 0);
  if (bytes > MAX_REFERENCE_BYTES) {
    throw new TooLargeError(
      `The references have ${formatBytes(bytes)} together; ${formatBytes(MAX_REFERENCE_BYTES)} are allowed.`,
      { limit: MAX_REFERENCE_BYTES, actual: bytes, unit: 'bytes' },
      { path: ['input', 'references'] },
    );
  }
  return pictures;
}

async function takeAlong(
  { storage }: { storage: Storage },
  { spool }: ReceivedFile,
  loose: LooseFiles,
): Promise<FoundPicture> {
  const { mimeType, width, height } = await storage.readPicture(spool);
  const uuid = `file:${loose.size}`;
  loose.set(uuid, { bytes: await readFile(spool.path), mimeType });
  return { uuid, sha256: spool.sha256, bytes: spool.bytes, width, height, image: null };
}

async function requireKept(
  { database }: { database: Database },
  { uuid, visibleTo }: { readonly uuid: string; readonly visibleTo: string | null },
  path: readonly string[],
): Promise<Image> {
  const [image] = await findImages(database, [uuid], visibleTo);
  if (!image || image.deletedAt !== null)
    throw new InputError('NOT_FOUND', `There is no image ${uuid}.`, { path });
  if (image.status === 'success' && image.blobId !== null) return image;
  throw new InputError('CONFLICT', `Image ${uuid} has no bytes to work from: it is ${image.status}.`, {
    path,
  });
}

async function keep(
  deps: ReferenceDeps,
  source: { readonly file: Promise<ReceivedFile> },
  { userId, visibility }: Pick<SourceOptions, 'userId' | 'visibility'>,
): Promise<Image> {
  const { spool, filename } = await source.file;
  await deps.quotas.requireRoom(userId, { bytes: spool.bytes });
  const record = parseImageInput({ visibility }, { userId, tool: 'reference' });
  return ingest(deps, spool, { ...record, origin: 'uploaded', prompt: '', filename, onDuplicate: 'reuse' });
}

/** Reads the bytes of references, for a provider. */
export async function readReferences(
  deps: { database: Database; storage: Storage },
  uuids: readonly string[],
  loose: LooseFiles = new Map(),
): Promise<Attachment[]> {
  const kept = uuids.filter((uuid) => !loose.has(uuid));
  const images = new Map((await findImages(deps.database, kept)).map((image) => [image?.uuid, image]));
  const attachments: Attachment[] = [];
  for (const uuid of uuids) {
    const file = loose.get(uuid);
    if (file) {
      attachments.push(file);
      continue;
    }
    const image = images.get(uuid);
    if (!image || image.blobId === null)
      throw new InputError(
        'NOT_FOUND',
        `The image ${uuid}, which was to be worked from, has no bytes any more.`,
      );
    const blob = await findBlob(deps.database, { id: Number(image.blobId) });
    if (!blob) throw new InputError('NOT_FOUND', `The image ${uuid} has no bytes any more.`);
    const chunks: Buffer[] = [];
    const { stream } = await deps.storage.open(blob);
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    attachments.push({ bytes: Buffer.concat(chunks), mimeType: blob.mimeType });
  }
  return attachments;
}
