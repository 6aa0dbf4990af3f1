import { InputError } from '../../errors.ts';
import { FIRST_TIME } from '../../time.ts';
import type { ImageOrigin, ImageStatus, Visibility } from '../image.ts';
import { checkCharacters } from '../input.ts';
import { faultOfJson, faultOfText } from '../json.ts';
import { type DurabilityFilter, durabilityTerms } from './durability.ts';

/** Filter of images. An image matches when it meets all given conditions. */
export interface ImageFilter extends DurabilityFilter {
  readonly userId?: string | null | undefined;
  readonly tool?: string | null | undefined;
  /** Matches images with all of these tags. */
  readonly tags?: readonly string[] | null | undefined;
  /** Matches images with one or more of these tags. */
  readonly anyTag?: readonly string[] | null | undefined;
  readonly status?: readonly ImageStatus[] | null | undefined;
  readonly model?: string | null | undefined;
  readonly provider?: string | null | undefined;
  readonly origin?: ImageOrigin | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly messageId?: string | null | undefined;
  readonly sha256?: string | null | undefined;
  /** Matches images created at or after this time. */
  readonly createdAfter?: Date | null | undefined;
  /** Matches images created before this time. */
  readonly createdBefore?: Date | null | undefined;
  /** Words of the prompt, in the syntax of `websearch_to_tsquery`: `fox -winter "red moon" or owl`. */
  readonly search?: string | null | undefined;
  /** Words of the original filename; all must match. */
  readonly filename?: string | null | undefined;
  /** JSON that `metadata` must contain, as by the operator `@>`. */
  readonly metadata?: unknown;
  readonly storageUrl?: string | null | undefined;
  readonly visibility?: Visibility | null | undefined;
  readonly pinned?: boolean | null | undefined;
  /** Default: `exclude`. */
  readonly trash?: TrashFilter | null | undefined;
  /** true: also matches parts of other images, such as the panels of a comic. Default: false. */
  readonly parts?: boolean | null | undefined;
  readonly copies?:
    | { readonly store?: string | null | undefined; readonly state?: string | null | undefined }
    | null
    | undefined;
}

export type TrashFilter = 'exclude' | 'include' | 'only';

/** Most characters of a search. PostgreSQL's time to parse it grows faster than its length. */
const MAX_SEARCH_LENGTH = 1000;
const MAX_METADATA_DEPTH = 20;

/** Most bytes of a tag in image_tags. */
const MAX_INDEXED_TAG_BYTES = 400;

const IN_TRASH = 'i.deleted_at IS NOT NULL';
/** Expression of idx_generated_images_made_by. */
const MADE_BY = 'ARRAY[i.tool_name, i.model, i.provider::text, i.origin::text]';
const MAKERS = ['tool', 'model', 'provider', 'origin'] as const;

/** image_tags, with the column names that conditions and orders use. */
export const TAGGED_IMAGES = '(SELECT t.user_id, t.tag, t.created_at, t.image_id AS id FROM image_tags t)';

/**
 * Selects the images of a user with one of some tags. Looks each tag up by itself: for several at once
 * PostgreSQL may read all tags of the user.
 * @param limit most images of each tag.
 */
export function imagesOfTags(userId: string, tags: string, limit?: number): string {
  return `(SELECT t.image_id FROM unnest(${tags}::text[]) wanted(tag), LATERAL (
    SELECT t.image_id FROM image_tags t WHERE t.user_id = ${userId} AND t.tag = wanted.tag ${limit === undefined ? 'OFFSET 0' : `LIMIT ${limit}`}) t)`;
}

/**
 * Returns whether image_tags has all images of a filter with these tags. It has the images that lists show.
 */
export function areIndexed(filter: ImageFilter, tags: readonly string[]): boolean {
  return (
    (filter.trash ?? 'exclude') === 'exclude' &&
    !filter.parts &&
    // Conditions rejects text that cannot be a tag.
    tags.every((tag) => Buffer.byteLength(tag) <= MAX_INDEXED_TAG_BYTES && faultOfText(tag) === null)
  );
}

/**
 * How conditions are written, which decides the index that PostgreSQL takes.
 *
 * - `scan`: for rows in the order of a list or of a user. Hides the index of tags.
 * - `pass`: for all rows of a pass that sums them up. May look up all blobs of a rare durability at once.
 * - `index`: offers every index that could find matches. Such a statement must be planned for its values
 *   (QueryOptions).
 * - `others`: offers every index but the user's: PostgreSQL would read millions of its entries to spare some
 *   thousand rows.
 * - `once`: writes each condition once, for an estimate. PostgreSQL takes a condition that is written twice
 *   for twice as rare.
 */
export type Wording = 'scan' | 'pass' | 'index' | 'others' | 'once';

/**
 * The WHERE clause of a filter. Its text depends on which fields are given and hardly on their values, so
 * there are few statements.
 */
export class Conditions {
  readonly values: unknown[];
  readonly #terms: string[] = [];

  /**
   * @param values values of the statement so far; those of the filter are added.
   * @throws InputError INVALID_INPUT
   */
  constructor(filter: ImageFilter, values: unknown[] = [], wording: Wording = 'scan') {
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
      // With a user, the user's index is best: it reads rows of one user and filters them. The expression
      // hides the index of tags, which PostgreSQL would read too, for the tag's rows of all users.
      const column = filter.userId == null || wording !== 'scan' ? 'i.tags' : `(i.tags || '{}'::text[])`;
      this.add(`${column} @> ${this.value(filter.tags)}::text[]`);
    }
    if (filter.anyTag?.length && !byTag.anyTag) {
      const column = filter.userId == null || wording !== 'scan' ? 'i.tags' : `(i.tags || '{}'::text[])`;
      this.add(`${column} && ${this.value(filter.anyTag)}::text[]`);
    }
    if (filter.status?.length) {
      this.add(`i.status = ANY(${this.value(filter.status)}::text[])`);
      // Offers the partial index of images that did not succeed.
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
        `${wordsOfFilename('i.original_filename')} @@ plainto_tsquery('simple', ${splitName(this.value(names))})`,
      );
    if (filter.metadata != null) {
      const fault = faultOfJson(filter.metadata, MAX_METADATA_DEPTH);
      if (fault)
        throw new InputError('INVALID_INPUT', `filter.metadata ${fault}.`, { path: ['filter', 'metadata'] });
      this.add(`i.metadata @> ${this.value(JSON.stringify(filter.metadata))}::jsonb`);
    }
    // With a literal, to match idx_generated_images_private.
    if (filter.visibility != null)
      this.add(filter.visibility === 'public' ? `i.visibility = 'public'` : `i.visibility <> 'public'`);
    if (filter.pinned != null) this.add(filter.pinned ? 'i.pinned' : 'NOT i.pinned');
    const trash = filter.trash ?? 'exclude';
    if (trash !== 'include') this.add(trash === 'only' ? IN_TRASH : 'i.deleted_at IS NULL');
    if (!filter.parts) this.add('i.part_of IS NULL');
    this.#addCopies(filter);
    const use = wording === 'once' ? 'estimate' : wording === 'scan' ? 'check' : 'find';
    for (const term of durabilityTerms(filter, (each) => this.value(each), use)) this.add(term);
  }

  #addCopies({ copies }: ImageFilter): void {
    if (!copies) return;
    const terms = ['c.blob_id = i.blob_id'];
    if (copies.store != null) {
      checkCharacters('filter.copies.store', copies.store);
      terms.push(`c.store = ${this.value(copies.store)}`);
    }
    if (copies.state != null) terms.push(`c.state = ${this.value(copies.state)}`);
    this.add(`EXISTS (SELECT 1 FROM copies c WHERE ${terms.join(' AND ')})`);
  }

  /**
   * Adds the tags of a user by image_tags: the index of tags has the rows of all users. As an array, because
   * PostgreSQL takes a tag to be as frequent with each user as with all, and would read the whole table.
   * @returns which of the two fields it has added.
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

  /** Adds a value. @returns its placeholder. */
  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  where(): string {
    return this.#terms.length > 0 ? ` WHERE ${this.all()}` : '';
  }

  /** Returns the conditions as an expression. */
  all(): string {
    return this.#terms.length > 0 ? this.#terms.join(' AND ') : 'true';
  }
}

/** @throws InputError INVALID_INPUT for a time before the year 1, which PostgreSQL writes in another form. */
function checkTime(field: string, time: Date): Date {
  if (time >= FIRST_TIME) return time;
  throw new InputError('INVALID_INPUT', `filter.${field} is before the year 1.`, {
    path: ['filter', field],
  });
}

/** Expression of idx_generated_images_filename_search. */
const splitName = (name: string) => `translate(${name}, '._-', '   ')`;
const wordsOfFilename = (column: string) => `to_tsvector('simple', ${splitName(column)})`;

/** Returns the text to search for; null: none. @throws InputError INVALID_INPUT */
function wordsOf(filter: ImageFilter, field: 'search' | 'filename'): string | null {
  // Original filenames are stored in NFC.
  const text = field === 'filename' ? filter[field]?.normalize('NFC') : filter[field];
  if (!text?.trim()) return null;
  checkCharacters(`filter.${field}`, text);
  if (text.length <= MAX_SEARCH_LENGTH) return text;
  const message = `filter.${field} has ${text.length} characters; at most ${MAX_SEARCH_LENGTH} are allowed.`;
  throw new InputError('INVALID_INPUT', message, { path: ['filter', field] });
}

/** Returns the hash in lower case. @throws InputError INVALID_INPUT */
function parseSha256(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const message = `filter.sha256 is not a SHA-256: ${JSON.stringify(text.slice(0, 100))}. Send 64 hexadecimal digits.`;
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
