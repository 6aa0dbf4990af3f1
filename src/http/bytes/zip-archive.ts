/** Archives of images: one file for each image, and a manifest at the end. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from 'pino';
import { ZipFile } from 'yazl';
import { FixativeError } from '../../errors.ts';
import type { Image, ImageDeps } from '../../image/image.ts';
import { type Blob, findBlob } from '../../storage/blob.ts';
import type { ServedBlob } from '../../storage/service.ts';
import { DamagedObjectError } from '../../storage/stores/store.ts';
import { clampTime } from '../../time.ts';
import type { Exchange } from '../exchange.ts';
import { ZipNames } from './zip-names.ts';

export interface ZipDeps extends ImageDeps {
  readonly log: Logger;
}

const MANIFEST = 'manifest.json';

/** Fields of an image that its archive needs. */
const FIELDS = [
  ...(['uuid', 'blobId', 'sha256', 'filename', 'originalFilename', 'createdAt'] as const),
  ...(['prompt', 'model', 'toolName', 'status', 'errorCode'] as const),
];
export type ArchivedImage = Readonly<Pick<Image, (typeof FIELDS)[number]>>;

/** Returns what an archive needs of an image. The rest, such as metadata of 64 KiB, leaves the memory. */
export const archivedOf = (image: Image): ArchivedImage =>
  Object.fromEntries(FIELDS.map((field) => [field, image[field]])) as unknown as ArchivedImage;

/** Entry of the manifest: one image. */
interface Listed {
  readonly id: string;
  readonly uuid: string;
  /** File of the archive; null: it has none. */
  readonly filename: string | null;
  readonly sha256: string | null;
  readonly prompt: string;
  readonly model: string | null;
  readonly tool: string;
  readonly createdAt: string;
  /** Why the bytes, or a part of them, could not be read; null: they are complete. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** An archive while it is sent. */
interface Archive {
  readonly zip: ZipFile;
  readonly names: ZipNames;
  /** Aborted when the client has hung up. */
  readonly gone: AbortSignal;
}

/**
 * Sends images as one archive, without compression, because pictures are compressed already. One image is
 * read at a time, as fast as the client takes it. The head of the response must have been written.
 * @param idOf returns the global id of an image.
 */
export async function sendArchive(
  deps: ZipDeps,
  { response }: Exchange,
  images: readonly ArchivedImage[],
  idOf: (image: ArchivedImage) => string,
): Promise<void> {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  zip.on('error', (error: Error) => output.destroy(error));
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  if (response.destroyed) gone.abort();
  const archive = { zip, names: new ZipNames([MANIFEST]), gone: gone.signal };
  const sending = pipeline(output, response);
  // Its error is thrown below.
  sending.catch(() => {});
  try {
    const listed: Listed[] = [];
    for (const image of images) {
      if (gone.signal.aborted) break;
      listed.push(await addImage(deps, archive, image, idOf(image)));
    }
    if (!gone.signal.aborted) {
      const manifest = `${JSON.stringify({ images: listed }, null, 2)}\n`;
      zip.addBuffer(Buffer.from(manifest), MANIFEST, optionsOf(new Date()));
      zip.end();
    }
  } catch (error) {
    output.destroy(error as Error);
  }
  await sending;
}

async function addImage(deps: ZipDeps, archive: Archive, image: ArchivedImage, id: string): Promise<Listed> {
  const { uuid, sha256, prompt, model, toolName: tool } = image;
  const createdAt = clampTime(image.createdAt).toISOString();
  const about = { id, uuid, sha256, prompt, model, tool, createdAt };
  // Its copies may have changed since the request began.
  const blob = image.blobId === null ? null : await findBlob(deps.database, { id: Number(image.blobId) });
  if (!blob) {
    const message = `The image has no bytes; its status is ${image.status.toUpperCase()}.`;
    return { ...about, filename: null, error: { code: image.errorCode ?? 'NOT_FOUND', message } };
  }
  try {
    return { ...about, ...(await addBytes(deps, archive, image, blob)) };
  } catch (error) {
    if (!(error instanceof FixativeError)) throw error;
    return { ...about, filename: null, error: { code: error.code, message: error.message } };
  }
}

/** @throws FixativeError if no store has a healthy copy, or if one that may have it cannot be asked. */
async function addBytes(
  { storage, log }: ZipDeps,
  archive: Archive,
  image: ArchivedImage,
  blob: Blob,
): Promise<Pick<Listed, 'filename' | 'error'>> {
  const first = archive.names.take(image, blob.mimeType);
  const failure = await addFile(archive, await storage.serve(blob), first, image.createdAt);
  if (failure === null) return { filename: first, error: null };
  // Bytes that were sent stay in the archive. Another copy is read before it is sent, under another name.
  log.warn({ err: failure, sha256: blob.sha256 }, 'the bytes of an image in an archive broke off');
  const code = failure instanceof DamagedObjectError ? 'DAMAGED_IMAGE' : 'STORE_UNAVAILABLE';
  const error = { code, message: `The file ${first} is incomplete: its store broke off. Delete it.` };
  try {
    const second = archive.names.take(image, blob.mimeType);
    const served = await storage.open(blob, undefined, { deep: true });
    const again = await addFile(archive, served, second, image.createdAt);
    return again === null ? { filename: second, error } : { filename: null, error };
  } catch (cause) {
    if (cause instanceof FixativeError) return { filename: null, error };
    throw cause;
  }
}

/**
 * Adds a file, and waits until it is sent.
 * @returns why the bytes broke off; null: they are complete, or the client has hung up.
 */
async function addFile(
  { zip, gone }: Archive,
  served: ServedBlob,
  name: string,
  createdAt: Date,
): Promise<unknown> {
  let failure: unknown = null;
  async function* parts(): AsyncGenerator<Buffer> {
    try {
      if ('content' in served) yield served.content;
      else yield* served.stream;
    } catch (error) {
      failure = error ?? new Error('the stream failed');
    }
  }
  const stream = Readable.from(parts(), { objectMode: false });
  const closed = new Promise((resolve) => stream.once('close', resolve));
  const stop = () => void stream.destroy();
  gone.addEventListener('abort', stop, { once: true });
  if (gone.aborted) stop();
  else zip.addReadStream(stream, name, optionsOf(createdAt));
  await closed;
  gone.removeEventListener('abort', stop);
  if ('stream' in served) served.stream.destroy();
  // The connection may still hold the memory.
  else served.done?.(false);
  return gone.aborted ? null : failure;
}

/** Range of the times of a zip: 32 bits with a sign since 1970, and since 1980 in the older field. */
const [FIRST, LAST] = [Date.UTC(1980, 0, 2), 2 ** 31 * 1000 - 1];

const optionsOf = (createdAt: Date) => ({
  compress: false,
  mode: 0o100644,
  mtime: new Date(Math.min(Math.max(clampTime(createdAt).getTime(), FIRST), LAST)),
});
