import type { Database } from '../database/database.ts';
import { InputError, TooLargeError } from '../errors.ts';
import type { Attachment } from '../provider/provider.ts';
import { findBlob } from '../storage/blob.ts';
import type { Storage } from '../storage/service.ts';
import { formatBytes } from '../storage/spool.ts';
import { findImages, type Image } from './image.ts';
import { ingest } from './ingest.ts';
import { parseImageInput } from './input.ts';
import type { ReceivedFile } from './upload.ts';

/** A picture to work from: an image that is kept, by its uuid, or a file of the same request. */
export type PictureSource = { readonly uuid: string } | { readonly file: Promise<ReceivedFile> };

const MiB = 1024 * 1024;
/** All pictures of a request together: providers take them in one body, which is made in memory. */
const MAX_REFERENCE_BYTES = 64 * MiB;
export const MAX_REFERENCES = 16;

/**
 * Finds the images that are named, and keeps the files that came along as images of their own, once each.
 * @throws InputError NOT_FOUND, CONFLICT, TooLargeError; what ingest throws. `path` says which.
 */
export async function resolveReferences(
  deps: { database: Database; storage: Storage },
  sources: readonly { readonly source: PictureSource; readonly path: readonly string[] }[],
  caller: { userId: string },
): Promise<Image[]> {
  const images: Image[] = [];
  for (const { source, path } of sources) {
    images.push(
      'uuid' in source ? await requireKept(deps, source.uuid, path) : await keep(deps, source, caller),
    );
  }
  const bytes = images.reduce((sum, image) => sum + (image.bytes ?? 0), 0);
  if (bytes > MAX_REFERENCE_BYTES) {
    throw new TooLargeError(
      `The references have ${formatBytes(bytes)} together; ${formatBytes(MAX_REFERENCE_BYTES)} are allowed.`,
      { limit: MAX_REFERENCE_BYTES, actual: bytes, unit: 'bytes' },
      { path: ['input', 'references'] },
    );
  }
  return images;
}

async function requireKept(
  { database }: { database: Database },
  uuid: string,
  path: readonly string[],
): Promise<Image> {
  const [image] = await findImages(database, [uuid]);
  if (!image || image.deletedAt !== null)
    throw new InputError('NOT_FOUND', `There is no image ${uuid}.`, { path });
  if (image.status === 'success' && image.blobId !== null) return image;
  throw new InputError('CONFLICT', `Image ${uuid} has no bytes to work from: it is ${image.status}.`, {
    path,
  });
}

async function keep(
  deps: { database: Database; storage: Storage },
  source: { readonly file: Promise<ReceivedFile> },
  caller: { userId: string },
): Promise<Image> {
  const { spool, filename } = await source.file;
  const record = parseImageInput({ userId: caller.userId }, { ...caller, tool: 'reference' });
  return ingest(deps, spool, { ...record, origin: 'uploaded', prompt: '', filename, onDuplicate: 'reuse' });
}

/** Reads the bytes of references, for a provider. */
export async function readReferences(
  deps: { database: Database; storage: Storage },
  uuids: readonly string[],
): Promise<Attachment[]> {
  const images = await findImages(deps.database, uuids);
  const attachments: Attachment[] = [];
  for (const [index, image] of images.entries()) {
    const uuid = uuids[index];
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
