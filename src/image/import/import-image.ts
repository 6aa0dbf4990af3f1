import type { Database } from '../../database/database.ts';
import { NotFoundError } from '../../errors.ts';
import type { Fetcher } from '../../fetch/fetch.ts';
import { findImageRow, type Image } from '../image.ts';
import { originalNameOf } from '../ingest/filename.ts';
import { type IngestDeps, type IngestOptions, ingest, ingestInto, type NewImage } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { checkCharacters } from '../input.ts';
import { parseUploadInput, type UploadInput } from '../upload/upload.ts';

export interface ImportDeps extends IngestDeps {
  readonly fetcher: Fetcher;
  /** Undefined for commands of the operator, to which no quota applies. */
  readonly quotas?: Quotas;
}

export interface ImportInput extends UploadInput {
  /** Address of http or https, which may expire. */
  readonly url: string;
}

/** An image to import. */
export type ImportedImage = Omit<NewImage, 'origin' | 'filename'> &
  IngestOptions & {
    /** null: the name in the response of the source, or in the address. */
    readonly filename: string | null;
    readonly url: string;
  };

/** Checks the description of an image to import. @throws InputError INVALID_INPUT */
export function parseImportInput(input: ImportInput, defaults: { userId: string }): ImportedImage {
  const { url, ...rest } = input;
  checkCharacters('url', url);
  return { url, ...parseUploadInput({ ...rest, tool: rest.tool ?? 'importImage' }, defaults) };
}

/**
 * Fetches a picture from an address before that expires, and ingests it.
 * @throws what the guarded fetch and `ingest` throw. Nothing is recorded then.
 */
export async function importImage(deps: ImportDeps, { url, ...image }: ImportedImage): Promise<Image> {
  await deps.quotas?.requireRoom(image.userId);
  const { spool, filename } = await deps.fetcher.fetch(url);
  try {
    return await ingest(deps, spool, {
      ...image,
      origin: 'imported',
      originalUrl: image.originalUrl ?? url,
      filename: image.filename ?? filename,
    });
  } finally {
    await spool.discard();
  }
}

/**
 * Fetches the bytes of a failed image that has none yet.
 * @throws NotFoundError when it was purged; what `importImage` throws.
 */
export async function importInto(
  deps: ImportDeps & { readonly database: Database },
  image: { id: bigint; url: string; filename: string | null } & Pick<IngestOptions, 'alsoRecord'>,
): Promise<Image> {
  const row = await findImageRow(deps.database, Number(image.id));
  if (!row) throw new NotFoundError('The failed image that waits for these bytes was purged.');
  const fetched = await deps.fetcher.fetch(image.url);
  try {
    const filename = image.filename ?? fetched.filename;
    const originalFilename = originalNameOf(filename);
    return await ingestInto(deps, fetched.spool, { ...image, uuid: row.uuid, filename, originalFilename });
  } finally {
    await fetched.spool.discard();
  }
}
