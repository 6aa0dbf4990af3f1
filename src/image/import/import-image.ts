import type { Database } from '../../database/database.ts';
import { NotFoundError } from '../../errors.ts';
import type { Fetcher } from '../../fetch/fetch.ts';
import { findImageRow, type Image } from '../image.ts';
import { originalNameOf } from '../ingest/filename.ts';
import { type IngestDeps, type IngestOptions, ingest, ingestInto, type NewImage } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { checkCharacters } from '../input.ts';
import { parseUploadInput, type UploadInput } from '../upload/upload.ts';

export interface RescueDeps extends IngestDeps {
  readonly fetcher: Fetcher;
  /** Left out by the commands of the operator, to whom no quota applies. */
  readonly quotas?: Quotas;
}

export interface RescueInput extends UploadInput {
  /** An address of http or https, which may expire from now on. */
  readonly url: string;
}

/** An image that is to be rescued: without a filename, it is called what its source calls it. */
export type RescuedImage = Omit<NewImage, 'origin' | 'filename'> &
  IngestOptions & { readonly filename: string | null };

/** Checks what is said of an image at an address. */
export function parseRescueInput(
  input: RescueInput,
  defaults: { userId: string },
): RescuedImage & { url: string } {
  const { url, ...rest } = input;
  checkCharacters('url', url);
  return { url, ...parseUploadInput({ ...rest, tool: rest.tool ?? 'importImage' }, defaults) };
}

/**
 * Fetches what is at an address that will expire, before it does, and ingests it.
 * @throws what the guarded fetch and `ingest` throw; nothing is recorded then.
 */
export async function rescueImage(
  deps: RescueDeps,
  { url, ...image }: RescuedImage & { url: string },
): Promise<Image> {
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

/** The same for a failed image that waits for its bytes. */
export async function rescueInto(
  deps: RescueDeps & { readonly database: Database },
  image: { id: bigint; url: string; filename: string | null } & Pick<IngestOptions, 'alsoRecord'>,
): Promise<Image> {
  const row = await findImageRow(deps.database, Number(image.id));
  if (!row) throw new NotFoundError('The image that waits for these bytes was removed.');
  const fetched = await deps.fetcher.fetch(image.url);
  try {
    const filename = image.filename ?? fetched.filename;
    const originalFilename = originalNameOf(filename);
    return await ingestInto(deps, fetched.spool, { ...image, uuid: row.uuid, filename, originalFilename });
  } finally {
    await fetched.spool.discard();
  }
}
