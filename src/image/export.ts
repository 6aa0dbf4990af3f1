/**
 * Exports images to a directory, each as a file and a sidecar (import/sidecar.ts). A file is written under a
 * temporary name, checked against its hash, flushed to the disk, and then renamed. So a file under its own
 * name is whole, and a second run writes only what is missing.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FixativeError } from '../errors.ts';
import { type Blob, extensionOf, findBlob } from '../storage/blob.ts';
import { flushToDisk } from '../storage/files/flush.ts';
import { formatTimestamp } from '../time.ts';
import type { Image, ImageDeps } from './image.ts';
import { forEachConcurrently } from './import/concurrency.ts';
import { makeSidecar } from './import/sidecar.ts';
import type { ImageFilter } from './list/conditions.ts';
import { parseCursor } from './list/cursor.ts';
import { withStores } from './list/durability.ts';
import { listImages, MAX_PAGE_SIZE } from './list/list.ts';

export interface Export {
  readonly directory: string;
  readonly filter: ImageFilter;
  readonly signal?: AbortSignal | undefined;
}

/** Result of one image. `without`: it has no bytes. `unread`: no store gave its bytes. */
export type ExportOutcome =
  | {
      readonly uuid: string;
      readonly outcome: 'exported' | 'there';
      readonly file: string;
      readonly bytes: number;
    }
  | { readonly uuid: string; readonly outcome: 'without'; readonly status: string }
  | { readonly uuid: string; readonly outcome: 'unread'; readonly code: string; readonly reason: string };

const IMAGES_AT_A_TIME = 3;

/** @param onImage gets the result of each image, in the order in which they are done. */
export async function exportImages(
  deps: ImageDeps,
  options: Export,
  onImage: (outcome: ExportOutcome) => void,
): Promise<void> {
  await mkdir(options.directory, { recursive: true });
  await forEachConcurrently(
    imagesOf(deps, await withStores({ ...deps, stores: deps.storage.stores }, options.filter)),
    async ({ image, createdAt }) => onImage(await exportImage(deps, image, { ...options, createdAt })),
    { count: IMAGES_AT_A_TIME, signal: options.signal },
  );
  // A rename is on the disk after a flush of its directory.
  await flushToDisk(options.directory);
}

/** Yields images oldest first: images that are created during the export come at the end. */
async function* imagesOf(
  { database }: Pick<ImageDeps, 'database'>,
  filter: ImageFilter,
): AsyncGenerator<{ image: Image; createdAt: string }> {
  for (let after: string | null = null; ; ) {
    const page = await listImages(database, filter, {
      first: MAX_PAGE_SIZE,
      after,
      order: { field: 'createdAt', direction: 'asc' },
    });
    for (const { node, cursor } of page.edges)
      yield {
        image: node,
        createdAt: formatTimestamp(String(parseCursor('createdAt', cursor, 'after').key)),
      };
    if (!page.pageInfo.hasNextPage) return;
    after = page.pageInfo.endCursor;
  }
}

async function exportImage(
  deps: ImageDeps,
  image: Image,
  { directory, createdAt }: { directory: string; createdAt: string },
): Promise<ExportOutcome> {
  const { uuid } = image;
  // By its blob and not its address: images in the trash have no address.
  const blob = image.blobId === null ? null : await findBlob(deps.database, { id: Number(image.blobId) });
  if (!blob) return { uuid, outcome: 'without', status: image.status };
  const name = nameOf(image.filename ?? '', uuid, blob);
  const file = path.join(directory, name);
  const sidecar = `${JSON.stringify(makeSidecar(image, createdAt), null, 2)}\n`;
  try {
    const whole = await isWhole(file, blob);
    if (!whole) await writeBytes(deps, file, blob);
    // After the bytes: a sidecar must not stand alone.
    const same = (await readFile(`${file}.json`, 'utf8').catch(() => null)) === sidecar;
    if (!same)
      await replaceFile(`${file}.json`, (temporary) =>
        pipeline([sidecar], createWriteStream(temporary, NEW)),
      );
    return { uuid, outcome: whole && same ? 'there' : 'exported', file: name, bytes: blob.bytes };
  } catch (error) {
    if (!(error instanceof FixativeError)) throw error;
    return { uuid, outcome: 'unread', code: error.code, reason: error.message };
  }
}

/**
 * Returns the name of the file: the image's filename when it is safe, else one made of the uuid. Other
 * services may have written any name.
 */
function nameOf(filename: string, uuid: string, blob: Blob): string {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.[a-z0-9]{3,4}$/.test(filename) && !filename.endsWith('.json')
    ? filename
    : `${uuid}.${extensionOf(blob.mimeType)}`;
}

/** Returns whether a file has the bytes of a blob. */
async function isWhole(file: string, blob: Blob): Promise<boolean> {
  const size = await stat(file).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  );
  if (size !== blob.bytes) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex') === blob.sha256;
}

async function writeBytes({ storage }: ImageDeps, file: string, blob: Blob): Promise<void> {
  await replaceFile(file, async (temporary) => {
    const hash = createHash('sha256');
    const { stream, store } = await storage.open(blob);
    await pipeline(
      stream,
      async function* measure(source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(temporary, NEW),
    );
    if (hash.digest('hex') === blob.sha256) return;
    throw new FixativeError(
      'BYTES_LOST',
      `The store ${store} returned bytes whose SHA-256 is not ${blob.sha256}. Run verify to repair the copy.`,
    );
  });
}

const NEW = { flags: 'wx', flush: true } as const;

/** Writes a file under a temporary name and renames it. */
async function replaceFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${randomUUID()}.part`);
  try {
    await write(temporary);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
