import { readFile } from 'node:fs/promises';
import type { Database } from '../../database/database.ts';
import { atPath, InputError, TooLargeError } from '../../errors.ts';
import type { Attachment } from '../../provider/provider.ts';
import { findBlob } from '../../storage/blob.ts';
import type { Storage } from '../../storage/service.ts';
import { formatBytes } from '../../storage/spool/format-bytes.ts';
import { findImages, type Image, type Visibility } from '../image.ts';
import { type IngestDeps, ingest } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { parseImageInput } from '../input.ts';
import type { ReceivedFile } from '../upload/upload.ts';

/** A picture to work from: a stored image, by its uuid, or a file of the same request. */
export type PictureSource = { readonly uuid: string } | { readonly file: Promise<ReceivedFile> };

export interface ReferenceDeps extends IngestDeps {
  readonly database: Database;
  readonly quotas: Quotas;
}

const MiB = 1024 * 1024;
/** Most bytes of all references of a request together: the request to the provider is built in memory. */
const MAX_REFERENCE_BYTES = 64 * MiB;

/** A picture to work from that was found or received. */
export interface FoundPicture {
  readonly uuid: string;
  readonly sha256: string | null;
  readonly bytes: number | null;
  readonly width: number | null;
  readonly height: number | null;
  /** null: a file that is not stored. */
  readonly image: Image | null;
}

export interface SourceOptions {
  /** Owner of the files that are stored. */
  readonly userId: string;
  /** User id that the named images are limited to; null: no limit. */
  readonly visibleTo: string | null;
  /** Visibility of the files that are stored. */
  readonly visibility: Visibility;
  /** Takes the files, on a server that does not store them; null: they are stored. */
  readonly files: TransientFiles | null;
}

/** Files of a request that are not stored, by names that take the place of uuids. */
export type TransientFiles = Map<string, Attachment>;

interface NamedSource {
  readonly source: PictureSource;
  /** Path in the input, for errors. */
  readonly path: readonly string[];
}

/**
 * Finds the images that are named, and stores the files as images of their own, once each.
 * @throws InputError NOT_FOUND, CONFLICT; TooLargeError; what ingest throws. `path` names the source.
 */
export async function resolveReferences(
  deps: ReferenceDeps,
  sources: readonly NamedSource[],
  options: SourceOptions,
): Promise<FoundPicture[]> {
  const pictures: FoundPicture[] = [];
  for (const each of sources) pictures.push(await resolveReference(deps, each, options));
  const bytes = pictures.reduce((sum, picture) => sum + (picture.bytes ?? 0), 0);
  if (bytes > MAX_REFERENCE_BYTES) {
    throw new TooLargeError(
      `The references have ${formatBytes(bytes)} together; at most ${formatBytes(MAX_REFERENCE_BYTES)} are allowed. Send fewer or smaller ones.`,
      { limit: MAX_REFERENCE_BYTES, actual: bytes, unit: 'bytes' },
      { path: ['input', 'references'] },
    );
  }
  return pictures;
}

async function resolveReference(
  deps: ReferenceDeps,
  { source, path }: NamedSource,
  options: SourceOptions,
): Promise<FoundPicture> {
  if ('uuid' in source) {
    const image = await requireStored(deps, { ...options, uuid: source.uuid }, path);
    return { ...image, image };
  }
  const { files } = options;
  const at = [...path, 'file'];
  if (files)
    return atPath(
      at,
      source.file.then((file) => holdFile(deps, file, files)),
    );
  const image = await atPath(at, storeFile(deps, source, options));
  return { ...image, image };
}

/** Holds a file in memory until the end of the request. */
async function holdFile(
  { storage }: { storage: Storage },
  { spool }: ReceivedFile,
  files: TransientFiles,
): Promise<FoundPicture> {
  const { mimeType, width, height } = await storage.readPicture(spool);
  const uuid = `file:${files.size}`;
  files.set(uuid, { bytes: await readFile(spool.path), mimeType });
  return { uuid, sha256: spool.sha256, bytes: spool.bytes, width, height, image: null };
}

async function requireStored(
  { database }: { database: Database },
  { uuid, visibleTo }: { readonly uuid: string; readonly visibleTo: string | null },
  path: readonly string[],
): Promise<Image> {
  const [image] = await findImages(database, [uuid], visibleTo);
  if (!image || image.deletedAt !== null)
    throw new InputError('NOT_FOUND', `There is no image ${uuid}.`, { path });
  if (image.status === 'success' && image.blobId !== null) return image;
  const message = `Image ${uuid} has no bytes, so it cannot be a reference: its status is ${image.status}.`;
  throw new InputError('CONFLICT', message, { path });
}

/** Stores a file as an image, or returns the user's image of the same bytes. */
async function storeFile(
  deps: ReferenceDeps,
  source: { readonly file: Promise<ReceivedFile> },
  { userId, visibility }: Pick<SourceOptions, 'userId' | 'visibility'>,
): Promise<Image> {
  const { spool, filename } = await source.file;
  await deps.quotas.requireRoom(userId, { bytes: spool.bytes });
  const record = parseImageInput({ visibility }, { userId, tool: 'reference' });
  return ingest(deps, spool, { ...record, origin: 'uploaded', prompt: '', filename, onDuplicate: 'reuse' });
}

/**
 * Reads the bytes of references, for the request to a provider.
 * @throws InputError NOT_FOUND for one without bytes.
 */
export async function readReferences(
  deps: { database: Database; storage: Storage },
  uuids: readonly string[],
  files: TransientFiles = new Map(),
): Promise<Attachment[]> {
  const stored = uuids.filter((uuid) => !files.has(uuid));
  const images = new Map((await findImages(deps.database, stored)).map((image) => [image?.uuid, image]));
  const attachments: Attachment[] = [];
  for (const uuid of uuids)
    attachments.push(files.get(uuid) ?? (await readImage(deps, uuid, images.get(uuid) ?? null)));
  return attachments;
}

async function readImage(
  { database, storage }: { database: Database; storage: Storage },
  uuid: string,
  image: Image | null,
): Promise<Attachment> {
  const blob = image?.blobId == null ? null : await findBlob(database, { id: Number(image.blobId) });
  if (!blob)
    throw new InputError('NOT_FOUND', `The bytes of the reference ${uuid} were removed. Use another image.`);
  const chunks: Buffer[] = [];
  const { stream } = await storage.open(blob);
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { bytes: Buffer.concat(chunks), mimeType: blob.mimeType };
}
