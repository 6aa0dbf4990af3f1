import { InputError } from '../../errors.ts';
import { FIRST_TIME } from '../../time.ts';
import type { ImageOrigin, ImageStatus, Visibility } from '../image.ts';
import { checkCharacters } from '../input.ts';
import { faultOfJson, faultOfText } from '../json.ts';

/** Which images are meant: all of the given conditions hold. */
export interface ImageFilter {
  readonly userId?: string | null | undefined;
  readonly tool?: string | null | undefined;
  /** Images that have all of these tags. */
  readonly tags?: readonly string[] | null | undefined;
  /** Images that have one or more of these tags. */
  readonly anyTag?: readonly string[] | null | undefined;
  readonly status?: readonly ImageStatus[] | null | undefined;
  readonly model?: string | null | undefined;
  readonly provider?: string | null | undefined;
  readonly origin?: ImageOrigin | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly messageId?: string | null | undefined;
  readonly sha256?: string | null | undefined;
  /** At or after this time. */
  readonly createdAfter?: Date | null | undefined;
  /** Before this time. */
  readonly createdBefore?: Date | null | undefined;
  /** Words of the prompt, as `websearch_to_tsquery` reads them: `fox -winter "red moon" or owl`. */
  readonly search?: string | null | undefined;
  /** Words of the name that the file had, all of them. */
  readonly filename?: string | null | undefined;
  /** JSON that `metadata` contains, as `@>` does. */
  readonly metadata?: unknown;
  readonly storageUrl?: string | null | undefined;
  readonly visibility?: Visibility | null | undefined;
  /** Images in the trash: `exclude` without it. */
  readonly trash?: TrashFilter | null | undefined;
  /** Images that are parts of others, such as the panels of a comic: left out without it. */
  readonly parts?: boolean | null | undefined;
  readonly copies?:
    | { readonly store?: string | null | undefined; readonly state?: string | null | undefined }
    | null
    | undefined;
}

export type TrashFilter = 'exclude' | 'include' | 'only';

/** PostgreSQL parses what is searched for in time that grows faster than its length. */
const MAX_SEARCH_LENGTH = 1000;
const MAX_METADATA_DEPTH = 20;

/** Longer ones are not in image_tags. */
const MAX_INDEXED_TAG_BYTES = 400;

const IN_TRASH = 'i.deleted_at IS NOT NULL';
/** As idx_generated_images_made_by has it. */
const MADE_BY = 'ARRAY[i.tool_name, i.model, i.provider::text, i.origin::text]';
const MAKERS = ['tool', 'model', 'provider', 'origin'] as const;

/** image_tags with the names that a user, a time and an order are said with. */
export const TAGGED_IMAGES = '(SELECT t.user_id, t.tag, t.created_at, t.image_id AS id FROM image_tags t)';

/**
 * The images of a user with one of some tags, each tag looked up by itself: for several at once PostgreSQL may read all tags of the user.
 * @param limit of each tag.
 */
export function imagesOfTags(userId: string, tags: string, limit?: number): string {
  return `(SELECT t.image_id FROM unnest(${tags}::text[]) wanted(tag), LATERAL (
    SELECT t.image_id FROM image_tags t WHERE t.user_id = ${userId} AND t.tag = wanted.tag ${limit === undefined ? 'OFFSET 0' : `LIMIT ${limit}`}) t)`;
}

/** Whether image_tags knows all images of a filter, by all of these tags: it has those that lists show. */
export function areIndexed(filter: ImageFilter, tags: readonly string[]): boolean {
  return (
    (filter.trash ?? 'exclude') === 'exclude' &&
    !filter.parts &&
    // What no tag can be is refused where conditions are made of it.
    tags.every((tag) => Buffer.byteLength(tag) <= MAX_INDEXED_TAG_BYTES && faultOfText(tag) === null)
  );
}

/**
 * - `walk`: for rows that are read in the order of a list, or of a user; no index of tags comes between.
 * - `index`: says everything that an index could find, so that PostgreSQL may choose among all of them. Such a statement is to be planned for
 *   its values (QueryOptions): without them it would choose wrongly.
 * - `others`: the same, but for the user, whose millions of entries PostgreSQL would read to spare itself some thousand rows.
 * - `once`: each condition once, for an estimate: what is said twice PostgreSQL takes for twice as rare.
 */
export type Wording = 'walk' | 'index' | 'others' | 'once';

/** The WHERE of a filter. Its text depends on which fields are given, hardly on their values, so there are few statements. */
export class Conditions {
  readonly values: unknown[];
  readonly #terms: string[] = [];

  /**
   * @param values those of other conditions of the same statement.
   * @param wording how it is said, for PostgreSQL goes by the words.
   */
  constructor(filter: ImageFilter, values: unknown[] = [], wording: Wording = 'walk') {
    this.values = values;
    for (const [field, column] of EQUALITIES) {
      const given = filter[field];
      if (given == null) continue;
      checkCharacters(`filter.${field}`, given);
      const value = field === 'sha256' ? parseSha256(given) : given;
      const isHidden = field === 'userId' && wording === 'others';
      this.add(`${isHidden ? `(${column} || '')` : column} = ${this.value(value)}`);
    }
    for (const field of ['tags', 'anyTag'] as const)
      for (const tag of filter[field] ?? []) checkCharacters(`filter.${field}`, tag);
    const byIndex = wording === 'index' || wording === 'others';
    const makers = MAKERS.flatMap((field) => filter[field] ?? []);
    if (byIndex && makers.length > 0) this.add(`${MADE_BY} @> ${this.value(makers)}::text[]`);
    const byTag = byIndex ? this.#addTagsOfUser(filter) : { tags: false, anyTag: false };
    if (filter.tags?.length && !byTag.tags) {
      // With a user the user's index is the way: a few of one user's rows, filtered. PostgreSQL would take the index of tags as
      // well and pay for the tag's rows of all users, so that index is hidden from it.
      const column = filter.userId == null || wording !== 'walk' ? 'i.tags' : `(i.tags || '{}'::text[])`;
      this.add(`${column} @> ${this.value(filter.tags)}::text[]`);
    }
    if (filter.anyTag?.length && !byTag.anyTag) {
      const column = filter.userId == null || wording !== 'walk' ? 'i.tags' : `(i.tags || '{}'::text[])`;
      this.add(`${column} && ${this.value(filter.anyTag)}::text[]`);
    }
    if (filter.status?.length) {
      this.add(`i.status = ANY(${this.value(filter.status)}::text[])`);
      // Says to PostgreSQL that the partial index of what did not succeed holds all of it.
      if (wording !== 'once' && !filter.status.includes('success')) this.add(`i.status <> 'success'`);
    }
    if (filter.createdAfter)
      this.add(`i.created_at >= ${this.value(checkTime('createdAfter', filter.createdAfter))}`);
    if (filter.createdBefore)
      this.add(`i.created_at < ${this.value(checkTime('createdBefore', filter.createdBefore))}`);
    const words = wordsOf(filter, 'search');
    if (words !== null)
      this.add(`to_tsvector('simple', i.prompt) @@ websearch_to_tsquery('simple', ${this.value(words)})`);
    const names = wordsOf(filter, 'filename');
    if (names !== null)
      this.add(
        `${wordsOfName('i.original_filename')} @@ plainto_tsquery('simple', ${partName(this.value(names))})`,
      );
    if (filter.metadata != null) {
      const fault = faultOfJson(filter.metadata, MAX_METADATA_DEPTH);
      if (fault)
        throw new InputError('INVALID_INPUT', `filter.metadata ${fault}.`, { path: ['filter', 'metadata'] });
      this.add(`i.metadata @> ${this.value(JSON.stringify(filter.metadata))}::jsonb`);
    }
    // Said with the literal, as idx_generated_images_private says it.
    if (filter.visibility != null)
      this.add(filter.visibility === 'public' ? `i.visibility = 'public'` : `i.visibility <> 'public'`);
    const trash = filter.trash ?? 'exclude';
    if (trash !== 'include') this.add(trash === 'only' ? IN_TRASH : 'i.deleted_at IS NULL');
    if (!filter.parts) this.add('i.part_of IS NULL');
    if (filter.copies) {
      const terms = ['c.blob_id = i.blob_id'];
      if (filter.copies.store != null) {
        checkCharacters('filter.copies.store', filter.copies.store);
        terms.push(`c.store = ${this.value(filter.copies.store)}`);
      }
      if (filter.copies.state != null) terms.push(`c.state = ${this.value(filter.copies.state)}`);
      this.add(`EXISTS (SELECT 1 FROM copies c WHERE ${terms.join(' AND ')})`);
    }
  }

  /**
   * The index of tags knows no user, and may have millions of other users. Said as an array, for PostgreSQL takes a tag to be as frequent with each
   * user as with all, and would read the whole table for it.
   * @returns which of the two are said by it.
   */
  #addTagsOfUser(filter: ImageFilter): { tags: boolean; anyTag: boolean } {
    if (filter.userId == null) return { tags: false, anyTag: false };
    const add = (tags: readonly string[]) =>
      this.add(
        `i.id = ANY(ARRAY(SELECT w.image_id FROM ${imagesOfTags(this.value(filter.userId), this.value(tags))} w))`,
      );
    const [tag, another] = filter.tags ?? [];
    const tags = tag !== undefined && areIndexed(filter, [tag]);
    if (tags) add([tag]);
    const anyTag = Boolean(filter.anyTag?.length) && areIndexed(filter, filter.anyTag ?? []);
    if (anyTag) add(filter.anyTag ?? []);
    return { tags: tags && another === undefined, anyTag };
  }

  add(term: string): void {
    this.#terms.push(term);
  }

  /** Takes a value in and returns its placeholder. */
  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  where(): string {
    return this.#terms.length > 0 ? ` WHERE ${this.all()}` : '';
  }

  /** As an expression. */
  all(): string {
    return this.#terms.length > 0 ? this.#terms.join(' AND ') : 'true';
  }
}

/** PostgreSQL has no year 0. */
function checkTime(field: string, time: Date): Date {
  if (time >= FIRST_TIME) return time;
  throw new InputError('INVALID_INPUT', `filter.${field} lies before the year 1.`, {
    path: ['filter', field],
  });
}

/** As idx_generated_images_filename_search has it. */
const partName = (name: string) => `translate(${name}, '._-', '   ')`;
const wordsOfName = (column: string) => `to_tsvector('simple', ${partName(column)})`;

/** Text that is searched for; null: none. @throws InputError INVALID_INPUT */
function wordsOf(filter: ImageFilter, field: 'search' | 'filename'): string | null {
  // Names are kept in NFC.
  const text = field === 'filename' ? filter[field]?.normalize('NFC') : filter[field];
  if (!text?.trim()) return null;
  checkCharacters(`filter.${field}`, text);
  if (text.length <= MAX_SEARCH_LENGTH) return text;
  const message = `filter.${field} has ${text.length} characters; ${MAX_SEARCH_LENGTH} are allowed.`;
  throw new InputError('INVALID_INPUT', message, { path: ['filter', field] });
}

/** @throws InputError INVALID_INPUT */
function parseSha256(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const message = `filter.sha256 is no SHA-256: ${JSON.stringify(text.slice(0, 100))}. It has 64 hexadecimal digits.`;
  throw new InputError('INVALID_INPUT', message, { path: ['filter', 'sha256'] });
}

const EQUALITIES = [
  ['userId', 'i.user_id'],
  ['tool', 'i.tool_name'],
  ['model', 'i.model'],
  ['provider', 'i.provider'],
  ['origin', 'i.origin'],
  ['requestId', 'i.request_id'],
  ['messageId', 'i.message_id'],
  ['sha256', 'i.sha256'],
  ['storageUrl', 'i.storage_url'],
] as const satisfies readonly (readonly [keyof ImageFilter, string])[];
