/**
 * Writes images to a directory, each as its bytes and a sidecar (sidecar.ts). A file is written under another name, its hash is proven while it
 * is written, and it is renamed when it is on the disk: what is there under its own name is whole. So a second run writes only what is lacking.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FixativeError } from '../errors.ts';
import { type Blob, extensionOf, findBlob } from '../storage/blob.ts';
import { flush } from '../storage/spool/flush.ts';
import { isoOfTimestamp } from '../time.ts';
import type { Image, ImageDeps } from './image.ts';
import { runWorkers } from './import/concurrency.ts';
import { makeSidecar } from './import/sidecar.ts';
import type { ImageFilter } from './list/conditions.ts';
import { parseCursor } from './list/cursor.ts';
import { listImages, MAX_PAGE_SIZE } from './list/list.ts';

export interface Export {
  readonly directory: string;
  readonly filter: ImageFilter;
  readonly signal?: AbortSignal | undefined;
}

/** What became of an image. `without`: it never had bytes, or has none yet. */
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

/** @param onImage hears what became of each image, in the order in which they are done. */
export async function exportImages(
  deps: ImageDeps,
  options: Export,
  onImage: (outcome: ExportOutcome) => void,
): Promise<void> {
  await mkdir(options.directory, { recursive: true });
  await runWorkers(
    walkImages(deps, options.filter),
    async ({ image, createdAt }) => onImage(await exportImage(deps, image, { ...options, createdAt })),
    { count: IMAGES_AT_A_TIME, signal: options.signal },
  );
  // A rename is on the disk when its directory is.
  await flush(options.directory);
}

async function* walkImages(
  { database }: Pick<ImageDeps, 'database'>,
  filter: ImageFilter,
): AsyncGenerator<{ image: Image; createdAt: string }> {
  for (let after: string | null = null; ; ) {
    // Oldest first: what arrives meanwhile comes at the end.
    const page = await listImages(database, filter, {
      first: MAX_PAGE_SIZE,
      after,
      order: { field: 'createdAt', direction: 'asc' },
    });
    for (const { node, cursor } of page.edges)
      yield { image: node, createdAt: isoOfTimestamp(String(parseCursor('createdAt', cursor, 'after').key)) };
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
  // By the blob and not by the address, which images in the trash do not have.
  const blob = image.blobId === null ? null : await findBlob(deps.database, { id: Number(image.blobId) });
  if (!blob) return { uuid, outcome: 'without', status: image.status };
  const name = nameOf(image.filename ?? '', uuid, blob);
  const file = path.join(directory, name);
  const sidecar = `${JSON.stringify(makeSidecar(image, createdAt), null, 2)}\n`;
  try {
    const whole = await isWhole(file, blob);
    if (!whole) await writeBytes(deps, file, blob);
    // After the bytes, so that a sidecar is never without them.
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

/** Rows that other services wrote may hold any name; ours are made to be names of files. */
function nameOf(filename: string, uuid: string, blob: Blob): string {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.[a-z0-9]{3,4}$/.test(filename) && !filename.endsWith('.json')
    ? filename
    : `${uuid}.${extensionOf(blob.mimeType)}`;
}

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
    throw new FixativeError('BYTES_LOST', `${store} gave other bytes than ${blob.sha256} is the hash of.`);
  });
}

const NEW = { flags: 'wx', flush: true } as const;

/** Writes a file whole or not at all. */
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
