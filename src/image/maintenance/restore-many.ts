import type { Database } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { walkLacking } from '../../storage/blob.ts';
import type { Restoration, Storage } from '../../storage/service.ts';
import { findImages, type Image, parseUuid } from '../image.ts';
import type { ImageFilter } from '../list/conditions.ts';
import { withStores } from '../list/durability.ts';
import { type ImagePage, listImages, MAX_PAGE_SIZE } from '../list/list.ts';
import { restoreImage } from '../restore.ts';

interface RestoreDeps {
  readonly database: Database;
  readonly storage: Storage;
}

/** Subjects to restore: blobs that lack a healthy copy, or images by a filter or by their uuids. */
export type RestoreSubjects =
  | { readonly lacking: true }
  | { readonly filter: ImageFilter }
  | { readonly ids: readonly string[] };

export interface RestoreManyOptions {
  /** Names of the stores to restore into. Default: all. */
  readonly stores?: readonly string[];
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** Outcome for one image or blob. */
export interface RestoreOutcome {
  /** uuid of the image; `blob 123` for a blob. */
  readonly subject: string;
  readonly sha256: string | null;
  readonly restored: Restoration['restored'];
  readonly source: Restoration['source'];
  /** Why copies could not be made. */
  readonly failed: readonly FixativeError[];
}

/**
 * Restores images or blobs one after the other, as `restoreImage` does, and yields the outcome of each.
 * @throws FixativeError NOT_FOUND for a uuid of no image; the reason of `options.signal`.
 */
export async function* restoreMany(
  deps: RestoreDeps,
  subjects: RestoreSubjects,
  options: RestoreManyOptions = {},
): AsyncGenerator<RestoreOutcome> {
  for await (const { subject, sha256, restore } of eachSubject(deps, subjects, options)) {
    options.signal?.throwIfAborted();
    const outcome = await restore().catch((error: unknown) => {
      if (error instanceof FixativeError) return { restored: [], source: null, failed: [error] };
      throw error;
    });
    yield { subject, sha256, ...outcome };
  }
}

interface Subject extends Pick<RestoreOutcome, 'subject' | 'sha256'> {
  restore(): Promise<Restoration>;
}

async function* eachSubject(
  deps: RestoreDeps,
  subjects: RestoreSubjects,
  { stores, dryRun = false }: RestoreManyOptions,
): AsyncGenerator<Subject> {
  const { database, storage } = deps;
  const where = { dryRun, ...(stores ? { stores } : {}) };
  const subjectOf = (image: Image): Subject => ({
    subject: image.uuid,
    sha256: image.sha256,
    restore: () => restoreImage(deps, image, where),
  });
  if ('lacking' in subjects) {
    const lacking = storage.stores.filter(({ name }) => !stores || stores.includes(name));
    for await (const { id, sha256 } of walkLacking(database, lacking))
      yield { subject: `blob ${id}`, sha256, restore: () => storage.restore(id, where) };
  } else if ('filter' in subjects) {
    const filter = await withStores({ database, stores: storage.stores }, subjects.filter);
    for await (const image of eachImage(database, filter)) if (image.blobId !== null) yield subjectOf(image);
  } else {
    for (const id of subjects.ids) yield subjectOf(await requireUuid(database, id));
  }
}

async function* eachImage(database: Database, filter: ImageFilter): AsyncGenerator<Image> {
  for (let after: string | null = null; ; ) {
    const page: ImagePage = await listImages(database, filter, { first: MAX_PAGE_SIZE, after });
    for (const { node } of page.edges) yield node;
    if (!page.pageInfo.hasNextPage) return;
    after = page.pageInfo.endCursor;
  }
}

async function requireUuid(database: Database, id: string): Promise<Image> {
  const uuid = parseUuid(id);
  const [image] = uuid ? await findImages(database, [uuid]) : [];
  if (image) return image;
  throw new FixativeError('NOT_FOUND', `There is no image ${JSON.stringify(id)}. Use the uuid of an image.`);
}
