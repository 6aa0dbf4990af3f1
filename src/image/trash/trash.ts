import type { Database } from '../../database/database.ts';
import { InputError } from '../../errors.ts';
import type { ForgetsImages } from '../bytes.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf } from '../image.ts';
import { lockTree, TREE } from '../related/family.ts';

interface TrashDeps {
  readonly database: Database;
  readonly imageBytes: ForgetsImages;
}

const TRASHED_WHOLE = `SELECT w.uuid FROM generated_images i JOIN generated_images w ON w.id = i.part_of
  WHERE i.id = $1 AND w.deleted_at IS NOT NULL`;

/** The parts go with the whole, and have its time; those that lay in the trash before keep theirs. */
const DELETE = `${TREE}
  UPDATE generated_images i SET deleted_at = coalesce(i.deleted_at, (SELECT w.deleted_at FROM generated_images w WHERE w.id = $1), now()),
    updated_at = now()
  WHERE i.id IN (SELECT id FROM tree) AND (i.id = $1 OR i.deleted_at IS NULL) RETURNING ${IMAGE_COLUMNS}`;

/** What went with the whole is known by its time. */
const UNDELETE = `${TREE}
  UPDATE generated_images i SET deleted_at = NULL, updated_at = now()
  WHERE i.id IN (SELECT id FROM tree)
    AND (i.id = $1 OR i.deleted_at = (SELECT w.deleted_at FROM generated_images w WHERE w.id = $1)) RETURNING ${IMAGE_COLUMNS}`;

/**
 * Puts an image into the trash, and its parts with it: lists leave it out, its address answers 404, its bytes stay and are verified and
 * repaired as before. One that is there already keeps its time.
 * @returns the image, or null when it was purged meanwhile.
 */
export function deleteImage(deps: TrashDeps, image: Pick<Image, 'id'>): Promise<Image | null> {
  return change(deps, DELETE, image);
}

/**
 * Takes an image out of the trash, and the parts that went there with it; one that is not in it stays as it is.
 * @throws InputError CONFLICT for a part whose whole lies in the trash: it would go with that all the same.
 */
export function undeleteImage(deps: TrashDeps, image: Pick<Image, 'id'>): Promise<Image | null> {
  return change(deps, UNDELETE, image);
}

async function change(
  { database, imageBytes }: TrashDeps,
  sql: string,
  image: Pick<Image, 'id'>,
): Promise<Image | null> {
  const id = Number(image.id);
  const rows = await database.transaction(async (transaction) => {
    await lockTree(transaction, image);
    const [whole] = sql === UNDELETE ? await transaction.query<{ uuid: string }>(TRASHED_WHOLE, [id]) : [];
    if (whole) {
      const message = `It is a part of image ${whole.uuid}, which lies in the trash; take that out.`;
      throw new InputError('CONFLICT', message, { path: ['input', 'id'] });
    }
    return transaction.query<ImageRow>(sql, [id]);
  });
  imageBytes.forget(rows.map(({ uuid }) => uuid));
  await database.flush();
  const row = rows.find((each) => each.id === id);
  return row ? imageOf(row) : null;
}
