import type { Queryable } from '../../database/database.ts';

/** Rows of images and tombstones with the uuid ($3), or with the hash ($2) and the user ($1). */
const FIND = `SELECT uuid, user_id = $1 AS own, sha256, deleted_at IS NOT NULL AS removed, uuid = $3::uuid AS same
  FROM generated_images WHERE uuid = $3::uuid OR (sha256 = $2 AND user_id = $1 AND status = 'success')
  UNION ALL
  SELECT uuid, user_id = $1, sha256, true, uuid = $3::uuid FROM tombstones WHERE uuid = $3::uuid OR (sha256 = $2 AND user_id = $1)`;

interface ExistingRow {
  readonly uuid: string;
  readonly own: boolean;
  readonly sha256: string | null;
  /** In the trash, or purged. */
  readonly removed: boolean;
  /** Whether the row has the uuid; null: none was given. */
  readonly same: boolean | null;
}

export interface Existing {
  /** null: import the picture. */
  readonly outcome: 'there' | 'removed' | null;
  readonly uuid: string | null;
  /** Whether an image has, or had, the given uuid, so that a new one cannot have it. */
  readonly uuidIsTaken: boolean;
}

/**
 * Returns whether a user has an image of these bytes, or has removed it.
 * @param picture.uuid uuid of an exported image, from its sidecar; null: there is none.
 * @param options.again ignores images that the user has removed.
 */
export async function findExisting(
  db: Queryable,
  picture: { sha256: string; userId: string; uuid: string | null },
  options: { again: boolean },
): Promise<Existing> {
  const { sha256, userId, uuid } = picture;
  const rows = await db.query<ExistingRow>(FIND, [userId, sha256, uuid]);
  const uuidIsTaken = rows.some((row) => row.same);
  const own = rows.filter((row) => row.own && row.sha256 === sha256);
  // Exported images are told apart by uuid: a user may have several of the same bytes, and each is imported
  // again.
  const there = own.find((row) => !row.removed && (uuid === null || row.same || uuidIsTaken));
  if (there) return { outcome: 'there', uuid: there.uuid, uuidIsTaken };
  const removed = own.find((row) => row.removed && (row.same || own.every((each) => each.removed)));
  if (removed && !options.again) return { outcome: 'removed', uuid: removed.uuid, uuidIsTaken };
  return { outcome: null, uuid: null, uuidIsTaken };
}
