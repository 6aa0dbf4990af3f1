import type { QuotaLimits } from '../../config.ts';
import type { Queryable } from '../../database/database.ts';
import { QuotaExceededError } from '../../errors.ts';
import { formatBytes } from '../../storage/spool/spool.ts';

/** Looks at the beginning of each way in whether a user may have more. */
export interface Quotas {
  /**
   * @param more what is about to be kept, as far as it is known by now.
   * @throws QuotaExceededError
   */
  requireRoom(userId: string, more?: { readonly bytes?: number }): Promise<void>;
  /**
   * Takes room for images that are to be made, and counts those that a provider is to be asked for among the generations of today (UTC), within the
   * transaction that records them; whoever comes at once waits for it.
   * @throws QuotaExceededError
   */
  takeGenerations(
    sql: Queryable,
    userId: string,
    count: { readonly images: number; readonly generations: number },
  ): Promise<void>;
}

// Answered by idx_generated_images_user_id_origin alone. What has no bytes takes no room; what lies in the trash does.
const KEPT = `SELECT count(bytes)::int AS images, coalesce(sum(bytes), 0)::float8 AS bytes FROM generated_images WHERE user_id = $1::text`;
const PLANNED = `SELECT count(*)::int FROM generations g JOIN generated_images i ON i.id = g.image_id
  WHERE g.state IN ('waiting', 'queued', 'asking', 'answered') AND i.user_id = $1::text AND i.bytes IS NULL`;
// One statement, so that an image which is done meanwhile is in one of the two.
const KEPT_AND_PLANNED = `SELECT kept.images + (${PLANNED}) AS images, kept.bytes FROM (${KEPT}) kept`;
const COUNT = `INSERT INTO generation_counts AS c (user_id, day, generations) VALUES ($1::text, (now() AT TIME ZONE 'UTC')::date, $2::integer)
  ON CONFLICT (user_id, day) DO UPDATE SET generations = c.generations + excluded.generations RETURNING generations`;

/**
 * Generations are counted exactly. For files nothing is locked: of those that come at once each looks before the others have written. So a user may
 * pass QUOTA_BYTES and QUOTA_IMAGES by what they have under way at once.
 */
export function makeQuotas(database: Queryable, limits: QuotaLimits): Quotas {
  const { quotaBytes, quotaImages, quotaGenerationsPerDay } = limits;

  return {
    async requireRoom(userId, { bytes = 0 } = {}) {
      if (quotaBytes === null && quotaImages === null) return;
      checkRoom(await keptBy(database, userId), { bytes, images: 1 });
    },
    async takeGenerations(sql, userId, { images, generations }) {
      if (quotaBytes !== null || quotaImages !== null) {
        await sql.query('SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0)) IS NULL AS taken', [
          `fixative:quota:${userId}`,
        ]);
        const [used] = await sql.query<{ images: number; bytes: number }>(KEPT_AND_PLANNED, [userId]);
        checkRoom(used ?? { images: 0, bytes: 0 }, { bytes: 0, images });
      }
      if (quotaGenerationsPerDay === null || generations === 0) return;
      // The row is locked until the transaction ends, and comes back as it was when it is refused.
      const [row] = await sql.query<{ generations: number }>(COUNT, [userId, generations]);
      const used = (row?.generations ?? generations) - generations;
      if (used + generations <= quotaGenerationsPerDay) return;
      const resetsAt = new Date();
      resetsAt.setUTCHours(24, 0, 0, 0);
      throw new QuotaExceededError(
        `The user has asked for ${used} of the ${quotaGenerationsPerDay} generations that are allowed in a day (QUOTA_GENERATIONS_PER_DAY), and for ${generations} more. There is room again at ${resetsAt.toISOString()}.`,
        { limit: quotaGenerationsPerDay, used, unit: 'generations', resetsAt },
      );
    },
  };

  async function keptBy(sql: Queryable, userId: string): Promise<{ images: number; bytes: number }> {
    const [kept] = await sql.query<{ images: number; bytes: number }>(KEPT, [userId]);
    return kept ?? { images: 0, bytes: 0 };
  }

  function checkRoom(used: { images: number; bytes: number }, more: { images: number; bytes: number }): void {
    // Where the size is not known yet, a full quota is all that can be refused.
    if (quotaBytes !== null && used.bytes + Math.max(more.bytes, 1) > quotaBytes) {
      throw new QuotaExceededError(
        `The user has ${formatBytes(used.bytes)} of the ${formatBytes(quotaBytes)} that are allowed (QUOTA_BYTES). Purge images to make room.`,
        { limit: quotaBytes, used: used.bytes, unit: 'bytes', resetsAt: null },
      );
    }
    if (quotaImages !== null && used.images + more.images > quotaImages) {
      throw new QuotaExceededError(
        `The user has ${used.images} of the ${quotaImages} images that are allowed, those that are being made among them (QUOTA_IMAGES). Purge some to make room.`,
        { limit: quotaImages, used: used.images, unit: 'images', resetsAt: null },
      );
    }
  }
}
