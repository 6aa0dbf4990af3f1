import DataLoader from 'dataloader';
import { visibleTo } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import type { ApiToken } from '../auth/tokens.ts';
import type { Generation } from '../image/generation/generation.ts';
import { findImages, type Image } from '../image/image.ts';
import { findByHashes, findPurges } from '../image/related/duplicates.ts';
import { type EditsKey, findByIds, findEdits, findParts } from '../image/related/family.ts';
import type { Provenance } from '../provenance/provenance.ts';
import type { Services } from './context.ts';
import { type CopyRow, makeCopyLoader } from './image/copy.ts';
import { makeGenerationLoader } from './image/generation.ts';
import { makeProvenanceLoader } from './image/provenance.ts';

/**
 * What finds things for one request, each by one statement for all that are asked for at once, and only what the caller may see: other images
 * are as if they were not there. Each is made when it is asked for first, for most requests need none.
 */
export class Loaders {
  readonly #services: Services;
  readonly #visibleTo: string | null;
  readonly #made = new Map<string, unknown>();

  constructor(services: Services, caller: Caller) {
    this.#services = services;
    this.#visibleTo = visibleTo(caller);
  }

  get imageByUuid(): DataLoader<string, Image | null> {
    const { database } = this.#services;
    return this.#make(
      'imageByUuid',
      () => new DataLoader((uuids) => findImages(database, uuids, this.#visibleTo)),
    );
  }

  get imageById(): DataLoader<number, Image | null> {
    const { database } = this.#services;
    return this.#make('imageById', () => new DataLoader((ids) => findByIds(database, ids, this.#visibleTo)));
  }

  /** In or out of the trash no more than MAX_DUPLICATES + 1 of each. */
  get imagesByHash(): DataLoader<string, Image[]> {
    const { database } = this.#services;
    return this.#make(
      'imagesByHash',
      () => new DataLoader((hashes) => findByHashes(database, hashes, this.#visibleTo)),
    );
  }

  /** In or out of the trash, at most MAX_PARTS. */
  get partsOfImage(): DataLoader<number, Image[]> {
    const { database } = this.#services;
    return this.#make(
      'partsOfImage',
      () => new DataLoader((ids) => findParts(database, ids, this.#visibleTo)),
    );
  }

  get editsOfImage(): DataLoader<EditsKey, Image[], string> {
    const { database } = this.#services;
    return this.#make(
      'editsOfImage',
      () =>
        new DataLoader((keys) => findEdits(database, keys, this.#visibleTo), {
          cacheKeyFn: ({ id, first }) => `${id}:${first}`,
        }),
    );
  }

  get purgeOf(): DataLoader<Pick<Image, 'sha256' | 'userId'>, Date | null> {
    const { database } = this.#services;
    return this.#make('purgeOf', () => new DataLoader((images) => findPurges(database, images)));
  }

  get copiesOfBlob(): DataLoader<number, CopyRow[]> {
    const { database, storage } = this.#services;
    return this.#make('copiesOfBlob', () =>
      makeCopyLoader(
        database,
        storage.stores.map(({ name }) => name),
      ),
    );
  }

  get generationOfImage(): DataLoader<number, Generation | null> {
    return this.#make('generationOfImage', () => makeGenerationLoader(this.#services.database));
  }

  get provenanceOfBlob(): DataLoader<number, Provenance | null> {
    return this.#make('provenanceOfBlob', () => makeProvenanceLoader(this.#services.database));
  }

  /** Of all tokens, revoked ones too: who may see them is for the caller of this to know. */
  get tokenById(): DataLoader<string, ApiToken | null> {
    const { tokens } = this.#services;
    return this.#make('tokenById', () => new DataLoader((ids) => tokens.find(ids)));
  }

  /** Forgets everything that was read: the next to ask reads the database. */
  clear(): void {
    this.#made.clear();
  }

  #make<Loader>(name: string, make: () => Loader): Loader {
    const made = (this.#made.get(name) as Loader | undefined) ?? make();
    this.#made.set(name, made);
    return made;
  }
}
