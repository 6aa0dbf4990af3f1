import { recordAudit } from '../audit/audit.ts';
import type { Writable } from '../database/database.ts';
import { InputError, NotFoundError } from '../errors.ts';
import type { ForgetsImages } from './bytes.ts';
import { findImageRow, IMAGE_COLUMNS, type Image, type ImageRow, imageOf, type Visibility } from './image.ts';
import { makeFilename, originalNameOf } from './ingest/filename.ts';
import { explainDataFault } from './ingest/ingest.ts';
import { LIMITS, parseMetadata, parseOptional, parseTags } from './input.ts';
import { lockTrees, TREE } from './related/family.ts';

/** Changes of an image. An undefined field stays as it is; null clears it. */
export interface ImageChanges {
  /** Replaces the tags. */
  readonly tags?: readonly string[] | null | undefined;
  /** Adds tags that the image does not have, after the others. */
  readonly addTags?: readonly string[] | null | undefined;
  readonly removeTags?: readonly string[] | null | undefined;
  /** Replaces the metadata. */
  readonly metadata?: unknown;
  /** Replaces the given keys of the metadata; a key with the value null is removed. */
  readonly mergeMetadata?: unknown;
  /** New filename, from which makeFilename makes a safe and unique one. */
  readonly filename?: string | null | undefined;
  /** Visibility of the image and all its parts; null: stays as it is. */
  readonly visibility?: Visibility | null | undefined;
  /** Whether retention keeps the image; null: stays as it is. */
  readonly pinned?: boolean | null | undefined;
}

/**
 * Updates an image by one statement that reads what it changes, so of two tags added at once none is lost. A
 * new filename changes the address; older addresses still work because of the uuid in them.
 * @throws InputError INVALID_INPUT; CONFLICT for an image in the trash, or for a filename of an image without
 *   bytes; NotFoundError when it was purged.
 */
export async function updateImage(
  deps: { database: Writable; imageBytes: ForgetsImages },
  image: Image,
  changes: ImageChanges,
): Promise<Image> {
  const statement = makeUpdate(image.id, changes);
  if (changes.filename !== undefined) changeFilename(statement, image, changes.filename);
  if (statement.isEmpty) return image;
  const [row] = await deps.database
    .transaction(async (transaction) => {
      if (changes.visibility != null) await lockTrees(transaction, [Number(image.id)]);
      const updated = await transaction.query<ImageRow>(statement.text, statement.values);
      const details = { fields: Object.keys(changes).filter((name) => changes[name as never] != null) };
      for (const { uuid } of updated)
        await recordAudit(transaction, { action: 'image.update', subject: uuid, details });
      return updated;
    })
    .catch((error) => explainDataFault(error));
  if (!row) throw await explainRefusal(deps, image, changes);
  // The statement changes parts too, whose uuids are not known here.
  deps.imageBytes.forget(changes.visibility == null ? [row.uuid] : null);
  await deps.database.flush();
  return imageOf(row);
}

/** @throws InputError INVALID_INPUT for changes that no image could have, or when nothing is changed. */
export function requireChanges(changes: Omit<ImageChanges, 'filename'>): void {
  if (!makeUpdate(0n, changes).isEmpty) return;
  throw new InputError('INVALID_INPUT', 'There is nothing to change. Name one or more changes.', {
    path: ['input'],
  });
}

/** Returns the statement of all changes but that of the filename. @throws InputError INVALID_INPUT */
function makeUpdate(id: Image['id'], changes: ImageChanges): Update {
  const statement = new Update(id);
  changeTags(statement, changes);
  changeMetadata(statement, changes);
  if (changes.visibility != null) changeVisibility(statement, changes.visibility);
  if (changes.pinned != null) statement.set('pinned', `${statement.value(changes.pinned)}::boolean`);
  return statement;
}

/** Builder of one UPDATE. Its text depends on which fields are given, not on their values. */
class Update {
  readonly values: unknown[] = [];
  readonly #set: string[] = [];
  #before = '';
  readonly #terms: string[];

  constructor(id: Image['id']) {
    this.#terms = [`i.id = ${this.value(Number(id))}`, 'i.deleted_at IS NULL'];
  }

  get isEmpty(): boolean {
    return this.#set.length === 0;
  }

  get text(): string {
    return `${this.#before} UPDATE generated_images i SET ${this.#set.join(', ')}, updated_at = now()
      WHERE ${this.#terms.join(' AND ')} RETURNING ${IMAGE_COLUMNS}`;
  }

  /** Adds a WITH clause that changes other rows. */
  begin(text: string): void {
    this.#before = text;
  }

  set(column: string, expression: string): void {
    this.#set.push(`${column} = ${expression}`);
  }

  /** Adds a condition for the update. */
  require(term: string): void {
    this.#terms.push(term);
  }

  /** Adds a value. @returns its placeholder. */
  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

function changeTags(statement: Update, { tags, addTags, removeTags }: ImageChanges): void {
  if (tags !== undefined) {
    if (addTags || removeTags)
      throw invalidChange('tags', 'Send tags, or addTags and removeTags, but not both.');
    statement.set('tags', `${statement.value(parseTags(tags ?? []))}::text[]`);
    return;
  }
  const add = parseTags(addTags ?? [], 'addTags');
  const remove = parseTags(removeTags ?? [], 'removeTags');
  const both = add.find((tag) => remove.includes(tag));
  if (both !== undefined)
    throw invalidChange(
      'removeTags',
      `The tag ${JSON.stringify(both)} is in addTags and in removeTags; send it in one of them.`,
    );
  if (add.length + remove.length === 0) return;
  const found = `ARRAY(SELECT tag FROM unnest(i.tags || ${statement.value(add)}::text[]) WITH ORDINALITY AS each(tag, place)
    WHERE tag <> ALL(${statement.value(remove)}::text[]) GROUP BY tag ORDER BY min(place))`;
  statement.set('tags', found);
  if (add.length > 0) statement.require(`cardinality(${found}) <= ${LIMITS.tags}`);
}

function changeMetadata(statement: Update, { metadata, mergeMetadata }: ImageChanges): void {
  if (metadata !== undefined) {
    if (mergeMetadata != null)
      throw invalidChange('metadata', 'Send metadata or mergeMetadata, but not both.');
    const whole = parseMetadata(metadata);
    statement.set('metadata', whole ? `${statement.value(JSON.stringify(whole))}::text::jsonb` : 'NULL');
    return;
  }
  const changes = Object.entries(parseMetadata(mergeMetadata ?? null, 'mergeMetadata') ?? {});
  if (changes.length === 0) return;
  const kept = changes.filter(([, value]) => value !== null);
  const gone = changes.filter(([, value]) => value === null).map(([key]) => key);
  // A row of another service may have the JSON value null.
  const merged = `((coalesce(nullif(i.metadata, 'null'), '{}') || ${statement.value(JSON.stringify(Object.fromEntries(kept)))}::text::jsonb)
    - ${statement.value(gone)}::text[])`;
  statement.set('metadata', merged);
  statement.require(`jsonb_typeof(coalesce(nullif(i.metadata, 'null'), '{}')) = 'object'`);
  // PostgreSQL writes spaces into JSON, so this length is a little larger than ours.
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
  // The extension must match the bytes, also when they change at the same time.
  statement.require(`i.blob_id IS NOT NULL AND i.mime_type = ${statement.value(mimeType)}`);
}

/**
 * Changes the visibility of the image and its parts. Parts change only together with the image, which must
 * not be in the trash.
 */
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

/** Returns the error for an update that matched no row. */
async function explainRefusal(
  { database }: { database: Writable },
  { id, uuid }: Image,
  changes: ImageChanges,
): Promise<InputError | NotFoundError> {
  const image = await findImageRow(database, Number(id));
  if (!image) return new NotFoundError(`Image ${uuid} was purged.`, { path: ['input', 'id'] });
  if (image.deletedAt) {
    const message = `Image ${uuid} is in the trash. Call undeleteImage before you change it.`;
    return new InputError('CONFLICT', message, { path: ['input', 'id'] });
  }
  if (changes.filename !== undefined && !hasBytes(image)) return withoutBytes(image);
  if (changes.addTags?.length && new Set([...image.tags, ...changes.addTags]).size > LIMITS.tags)
    return invalidChange(
      'addTags',
      `The image would have more than ${LIMITS.tags} tags, the most allowed. Remove some.`,
    );
  if (changes.mergeMetadata != null) {
    const fits = typeof image.metadata === 'object' && !Array.isArray(image.metadata);
    const message = fits
      ? `The metadata would have more than ${LIMITS.metadataBytes} bytes, the most allowed. Remove some keys.`
      : 'The metadata of the image is not a JSON object. Replace it with the field metadata.';
    return invalidChange('mergeMetadata', message);
  }
  return new InputError('CONFLICT', `Image ${uuid} was changed at the same time. Try again.`, {
    path: ['input', 'id'],
    retryable: true,
  });
}

function withoutBytes({ uuid }: Image): InputError {
  return new InputError('CONFLICT', `Image ${uuid} has no bytes yet, so its filename cannot be changed.`, {
    path: ['input', 'filename'],
  });
}

function invalidChange(field: string, message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['input', field] });
}
