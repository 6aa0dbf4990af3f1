import type { Database } from '../database/database.ts';
import { InputError, NotFoundError } from '../errors.ts';
import type { ForgetsImages } from './bytes.ts';
import { findImageRow, IMAGE_COLUMNS, type Image, type ImageRow, imageOf, type Visibility } from './image.ts';
import { makeFilename, originalNameOf } from './ingest/filename.ts';
import { explainDataFault } from './ingest/ingest.ts';
import { LIMITS, parseMetadata, parseOptional, parseTags } from './input.ts';
import { lockTree, TREE } from './related/family.ts';

/** What may be changed of an image. A field that is absent (undefined) stays as it is; null empties it. */
export interface ImageChanges {
  /** In place of those it has. */
  readonly tags?: readonly string[] | null | undefined;
  /** Put behind those it has, where it does not have them. */
  readonly addTags?: readonly string[] | null | undefined;
  readonly removeTags?: readonly string[] | null | undefined;
  /** In place of what it has. */
  readonly metadata?: unknown;
  /** Each key in place of the same key of what it has; a key whose value is null goes. */
  readonly mergeMetadata?: unknown;
  /** The name to offer it under, as makeFilename makes one of it. */
  readonly filename?: string | null | undefined;
  /** Of the image and of all its parts; null: as it is. */
  readonly visibility?: Visibility | null | undefined;
}

/**
 * Changes what is said of an image, by one statement that reads what it changes: of two that add a tag at once neither is lost. With its
 * name the address changes; older addresses answer as before, for the uuid in them decides.
 * @throws InputError INVALID_INPUT; CONFLICT for an image in the trash, or for the name of one that has no bytes; NotFoundError when
 *   it was purged meanwhile.
 */
export async function updateImage(
  deps: { database: Database; imageBytes: ForgetsImages },
  image: Image,
  changes: ImageChanges,
): Promise<Image> {
  const statement = new Update(image);
  changeTags(statement, changes);
  changeMetadata(statement, changes);
  if (changes.filename !== undefined) changeFilename(statement, image, changes.filename);
  if (changes.visibility != null) changeVisibility(statement, changes.visibility);
  if (statement.isEmpty) return image;
  const [row] = await deps.database
    .transaction(async (transaction) => {
      if (changes.visibility != null) await lockTree(transaction, image);
      return transaction.query<ImageRow>(statement.text, statement.values);
    })
    .catch((error) => explainDataFault(error));
  if (!row) throw await explainRefusal(deps, image, changes);
  // The parts are changed along with it, and are not told by name.
  deps.imageBytes.forget(changes.visibility == null ? [row.uuid] : null);
  await deps.database.flush();
  return imageOf(row);
}

/** One UPDATE. Its text depends on which fields are given, never on their values. */
class Update {
  readonly values: unknown[] = [];
  readonly #set: string[] = [];
  #before = '';
  readonly #terms: string[];

  constructor(image: Image) {
    this.#terms = [`i.id = ${this.value(Number(image.id))}`, 'i.deleted_at IS NULL'];
  }

  get isEmpty(): boolean {
    return this.#set.length === 0;
  }

  get text(): string {
    return `${this.#before} UPDATE generated_images i SET ${this.#set.join(', ')}, updated_at = now()
      WHERE ${this.#terms.join(' AND ')} RETURNING ${IMAGE_COLUMNS}`;
  }

  /** What is changed along with it, by the same statement. */
  begin(text: string): void {
    this.#before = text;
  }

  set(column: string, expression: string): void {
    this.#set.push(`${column} = ${expression}`);
  }

  /** Nothing is changed where it does not hold. */
  require(term: string): void {
    this.#terms.push(term);
  }

  /** Takes a value in and returns its placeholder. */
  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

function changeTags(statement: Update, { tags, addTags, removeTags }: ImageChanges): void {
  if (tags !== undefined) {
    if (addTags || removeTags) throw invalid('tags', 'Give tags, or addTags and removeTags, not both.');
    statement.set('tags', `${statement.value(parseTags(tags ?? []))}::text[]`);
    return;
  }
  const add = parseTags(addTags ?? [], 'addTags');
  const remove = parseTags(removeTags ?? [], 'removeTags');
  const both = add.find((tag) => remove.includes(tag));
  if (both !== undefined)
    throw invalid('removeTags', `The tag ${JSON.stringify(both)} is to be added and to be removed.`);
  if (add.length + remove.length === 0) return;
  const found = `ARRAY(SELECT tag FROM unnest(i.tags || ${statement.value(add)}::text[]) WITH ORDINALITY AS each(tag, place)
    WHERE tag <> ALL(${statement.value(remove)}::text[]) GROUP BY tag ORDER BY min(place))`;
  statement.set('tags', found);
  if (add.length > 0) statement.require(`cardinality(${found}) <= ${LIMITS.tags}`);
}

function changeMetadata(statement: Update, { metadata, mergeMetadata }: ImageChanges): void {
  if (metadata !== undefined) {
    if (mergeMetadata != null) throw invalid('metadata', 'Give metadata or mergeMetadata, not both.');
    const whole = parseMetadata(metadata);
    statement.set('metadata', whole ? `${statement.value(JSON.stringify(whole))}::text::jsonb` : 'NULL');
    return;
  }
  const changes = Object.entries(parseMetadata(mergeMetadata ?? null, 'mergeMetadata') ?? {});
  if (changes.length === 0) return;
  const kept = changes.filter(([, value]) => value !== null);
  const gone = changes.filter(([, value]) => value === null).map(([key]) => key);
  // A row of another service may hold the JSON value null.
  const merged = `((coalesce(nullif(i.metadata, 'null'), '{}') || ${statement.value(JSON.stringify(Object.fromEntries(kept)))}::text::jsonb)
    - ${statement.value(gone)}::text[])`;
  statement.set('metadata', merged);
  statement.require(`jsonb_typeof(coalesce(nullif(i.metadata, 'null'), '{}')) = 'object'`);
  // As PostgreSQL writes it, which puts blanks between; that is close enough for a limit.
  if (kept.length > 0) statement.require(`octet_length(${merged}::text) <= ${LIMITS.metadataBytes}`);
}

function changeFilename(statement: Update, image: Image, wish: string | null): void {
  const name = parseOptional('filename', wish, 255) ?? '';
  const { uuid, mimeType } = image;
  if (!hasBytes(image) || mimeType === null) throw withoutBytes(image);
  const filename = makeFilename(name, { uuid, mimeType });
  statement.set('filename', statement.value(filename));
  statement.set('original_filename', `${statement.value(originalNameOf(name))}::text`);
  statement.set('storage_url', statement.value(`/images/${uuid}/${filename}`));
  // The ending of the name says what the bytes are.
  statement.require(`i.blob_id IS NOT NULL AND i.mime_type = ${statement.value(mimeType)}`);
}

/** Parts are seen by whoever sees the whole. They follow only where the image itself is changed, which the trash forbids. */
function changeVisibility(statement: Update, visibility: Visibility): void {
  const value = `${statement.value(visibility)}::text`;
  statement.set('visibility', value);
  statement.begin(`${TREE}, parts AS (
    UPDATE generated_images p SET visibility = ${value}, updated_at = now()
    WHERE p.id IN (SELECT id FROM tree) AND p.id <> $1 AND p.visibility <> ${value}
      AND EXISTS (SELECT 1 FROM generated_images w WHERE w.id = $1 AND w.deleted_at IS NULL)
  )`);
}

const hasBytes = (image: Image) => image.blobId !== null && image.status === 'success';

/** Why the statement found nothing to change. */
async function explainRefusal(
  { database }: { database: Database },
  { id, uuid }: Image,
  changes: ImageChanges,
): Promise<InputError | NotFoundError> {
  const image = await findImageRow(database, Number(id));
  if (!image) return new NotFoundError(`There is no image ${uuid} any more.`, { path: ['input', 'id'] });
  if (image.deletedAt) {
    const message = `Image ${uuid} lies in the trash; take it out before you change it.`;
    return new InputError('CONFLICT', message, { path: ['input', 'id'] });
  }
  if (changes.filename !== undefined && !hasBytes(image)) return withoutBytes(image);
  if (changes.addTags?.length && new Set([...image.tags, ...changes.addTags]).size > LIMITS.tags)
    return invalid('addTags', `The image would have more than the ${LIMITS.tags} tags that are allowed.`);
  if (changes.mergeMetadata != null) {
    const fits = typeof image.metadata === 'object' && !Array.isArray(image.metadata);
    const message = fits
      ? `metadata would have more than the ${LIMITS.metadataBytes} bytes that are allowed.`
      : 'The metadata of the image is no JSON object; replace it by metadata.';
    return invalid('mergeMetadata', message);
  }
  return new InputError('CONFLICT', `Image ${uuid} was changed meanwhile; try again.`, {
    path: ['input', 'id'],
    retryable: true,
  });
}

function withoutBytes({ uuid }: Image): InputError {
  return new InputError('CONFLICT', `Image ${uuid} has no bytes that a name could be given to.`, {
    path: ['input', 'filename'],
  });
}

function invalid(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
