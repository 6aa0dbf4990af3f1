import type { Queryable } from '../../database/database.ts';

/** By uuid: where it is, or was. By hash: what the user has, or had, of these bytes. */
const KNOWN = `SELECT uuid, user_id = $1 AS own, sha256, deleted_at IS NOT NULL AS removed, uuid = $3::uuid AS same
  FROM generated_images WHERE uuid = $3::uuid OR (sha256 = $2 AND user_id = $1 AND status = 'success')
  UNION ALL
  SELECT uuid, user_id = $1, sha256, true, uuid = $3::uuid FROM tombstones WHERE uuid = $3::uuid OR (sha256 = $2 AND user_id = $1)`;

interface KnownRow {
  readonly uuid: string;
  readonly own: boolean;
  readonly sha256: string | null;
  readonly removed: boolean;
  readonly same: boolean | null;
}

export interface Known {
  /** null: take it in. */
  readonly outcome: 'there' | 'removed' | null;
  readonly uuid: string | null;
  /** Some image has, or had, the uuid, so that it cannot be given again. */
  readonly uuidIsTaken: boolean;
}

/**
 * Whether a user has these bytes already, or has removed them.
 * @param picture.uuid the name that the image had, where a sidecar says so.
 * @param options.again what was removed does not count.
 */
export async function findKnown(
  db: Queryable,
  picture: { sha256: string; userId: string; uuid: string | null },
  options: { again: boolean },
): Promise<Known> {
  const { sha256, userId, uuid } = picture;
  const rows = await db.query<KnownRow>(KNOWN, [userId, sha256, uuid]);
  const uuidIsTaken = rows.some((row) => row.same);
  const mine = rows.filter((row) => row.own && row.sha256 === sha256);
  // An exported image is known by its uuid: the user may have several of the same bytes, and each of them comes back.
  const there = mine.find((row) => !row.removed && (uuid === null || row.same || uuidIsTaken));
  if (there) return { outcome: 'there', uuid: there.uuid, uuidIsTaken };
  const removed = mine.find((row) => row.removed && (row.same || mine.every((each) => each.removed)));
  if (removed && !options.again) return { outcome: 'removed', uuid: removed.uuid, uuidIsTaken };
  return { outcome: null, uuid: null, uuidIsTaken };
}
