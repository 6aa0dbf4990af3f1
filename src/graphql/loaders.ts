import DataLoader from 'dataloader';
import { visibleTo } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import type { ApiToken, Tokens } from '../auth/tokens.ts';
import type { Queryable } from '../database/database.ts';
import { type CopyRow, findCopiesOfBlobs } from '../image/copies.ts';
import type { Generation } from '../image/generation/generation.ts';
import { findGenerationsOfImages } from '../image/generation/generations-of-images.ts';
import { findImages, type Image } from '../image/image.ts';
import { findProvenances } from '../image/ingest/provenance.ts';
import { findRuns, type MaintenanceRun } from '../image/maintenance/run.ts';
import { findByHashes, findPurges } from '../image/related/duplicates.ts';
import { type EditsKey, findByIds, findEdits, findParts } from '../image/related/family.ts';
import type { Provenance } from '../provenance/provenance.ts';
import {
  countVerifiedSince,
  findVerifyCoverage,
  type VerifiedSince,
  type VerifyCoverage,
} from '../storage/coverage.ts';

interface LoaderDeps {
  readonly database: Queryable;
  readonly storage: { readonly stores: readonly { readonly name: string }[] };
  readonly tokens: Pick<Tokens, 'find'>;
}

/**
 * Loads rows for one request, in one statement for all keys of a tick. Images that the caller may not see are
 * not found. A loader is made when it is first used, because most requests need none.
 */
export class Loaders {
  readonly #deps: LoaderDeps;
  readonly #visibleTo: string | null;
  readonly #made = new Map<string, unknown>();

  constructor(deps: LoaderDeps, caller: Caller) {
    this.#deps = deps;
    this.#visibleTo = visibleTo(caller);
  }

  get imageByUuid(): DataLoader<string, Image | null> {
    const { database } = this.#deps;
    return this.#make(
      'imageByUuid',
      () => new DataLoader((uuids) => findImages(database, uuids, this.#visibleTo)),
    );
  }

  get imageById(): DataLoader<number, Image | null> {
    const { database } = this.#deps;
    return this.#make('imageById', () => new DataLoader((ids) => findByIds(database, ids, this.#visibleTo)));
  }

  /** Images outside the trash by the hash of their bytes, at most MAX_DUPLICATES + 1 of each hash. */
  get imagesByHash(): DataLoader<string, Image[]> {
    const { database } = this.#deps;
    return this.#make(
      'imagesByHash',
      () => new DataLoader((hashes) => findByHashes(database, hashes, this.#visibleTo)),
    );
  }

  /** Parts of an image, those in the trash too, at most MAX_PARTS. */
  get partsOfImage(): DataLoader<number, Image[]> {
    const { database } = this.#deps;
    return this.#make(
      'partsOfImage',
      () => new DataLoader((ids) => findParts(database, ids, this.#visibleTo)),
    );
  }

  get editsOfImage(): DataLoader<EditsKey, Image[], string> {
    const { database } = this.#deps;
    return this.#make(
      'editsOfImage',
      () =>
        new DataLoader((keys) => findEdits(database, keys, this.#visibleTo), {
          cacheKeyFn: ({ id, first }) => `${id}:${first}`,
        }),
    );
  }

  get purgeOf(): DataLoader<Pick<Image, 'sha256' | 'userId'>, Date | null> {
    const { database } = this.#deps;
    return this.#make('purgeOf', () => new DataLoader((images) => findPurges(database, images)));
  }

  /** Copies of a blob in the order in which its stores are read. */
  get copiesOfBlob(): DataLoader<number, CopyRow[]> {
    const { database, storage } = this.#deps;
    return this.#make('copiesOfBlob', () => {
      const readOrder = storage.stores.map(({ name }) => name);
      return new DataLoader((blobIds) => findCopiesOfBlobs(database, blobIds, readOrder));
    });
  }

  get generationOfImage(): DataLoader<number, Generation | null> {
    const { database } = this.#deps;
    return this.#make(
      'generationOfImage',
      () => new DataLoader((ids) => findGenerationsOfImages(database, ids)),
    );
  }

  get provenanceOfBlob(): DataLoader<number, Provenance | null> {
    const { database } = this.#deps;
    return this.#make(
      'provenanceOfBlob',
      () => new DataLoader((blobIds) => findProvenances(database, blobIds)),
    );
  }

  /** Tokens, revoked ones too. Only admins may see them; the caller of this loader must check it. */
  get tokenById(): DataLoader<string, ApiToken | null> {
    const { tokens } = this.#deps;
    return this.#make('tokenById', () => new DataLoader((ids) => tokens.find(ids)));
  }

  get verifyCoverage(): DataLoader<string, VerifyCoverage> {
    const { database } = this.#deps;
    return this.#make(
      'verifyCoverage',
      () => new DataLoader((stores) => findVerifyCoverage(database, stores)),
    );
  }

  get verifiedSince(): DataLoader<VerifiedSince, number, string> {
    const { database } = this.#deps;
    return this.#make(
      'verifiedSince',
      () =>
        new DataLoader((asked) => countVerifiedSince(database, asked), {
          cacheKeyFn: ({ store, time }) => `${time.getTime()} ${store}`,
        }),
    );
  }

  /** Runs of maintenance. The caller of this loader must check the scope. */
  get maintenanceRunById(): DataLoader<string, MaintenanceRun | null> {
    const { database } = this.#deps;
    return this.#make('maintenanceRunById', () => new DataLoader((ids) => findRuns(database, ids)));
  }

  /** Discards everything that was read, so that the next load reads the database. */
  clear(): void {
    this.#made.clear();
  }

  #make<Loader>(name: string, make: () => Loader): Loader {
    const made = (this.#made.get(name) as Loader | undefined) ?? make();
    this.#made.set(name, made);
    return made;
  }
}
