import type { QuotaLimits } from '../../config.ts';
import type { Queryable } from '../../database/database.ts';
import { QuotaExceededError } from '../../errors.ts';
import { formatBytes } from '../../storage/spool/format-bytes.ts';

/** Limits of what a user may store and generate. */
export interface Quotas {
  /**
   * Checks that a user may store another image.
   * @param more size of the image; undefined: not known yet.
   * @throws QuotaExceededError
   */
  requireRoom(userId: string, more?: { readonly bytes?: number }): Promise<void>;
  /**
   * Checks that a user may generate images, and counts the generations of today (UTC), in the transaction
   * that records them. Requests of the same user wait for its commit.
   * @throws QuotaExceededError
   */
  takeGenerations(
    sql: Queryable,
    userId: string,
    /** generations: images that a provider is called for. */
    count: { readonly images: number; readonly generations: number },
  ): Promise<void>;
}

// Answered by idx_generated_images_user_id_origin alone. Images without bytes do not count; images in the
// trash do.
const KEPT = `SELECT count(bytes)::int AS images, coalesce(sum(bytes), 0)::float8 AS bytes FROM generated_images WHERE user_id = $1::text`;
const PLANNED = `SELECT count(*)::int FROM generations g JOIN generated_images i ON i.id = g.image_id
  WHERE g.state IN ('waiting', 'queued', 'asking', 'answered') AND i.user_id = $1::text AND i.bytes IS NULL`;
// One statement: an image that is finished at the same time counts once.
const KEPT_AND_PLANNED = `SELECT kept.images + (${PLANNED}) AS images, kept.bytes FROM (${KEPT}) kept`;
const COUNT = `INSERT INTO generation_counts AS c (user_id, day, generations) VALUES ($1::text, (now() AT TIME ZONE 'UTC')::date, $2::integer)
  ON CONFLICT (user_id, day) DO UPDATE SET generations = c.generations + excluded.generations RETURNING generations`;

/**
 * Generations are counted exactly. Files take no lock: several uploads at once are each checked before the
 * others are recorded. So a user may exceed QUOTA_BYTES and QUOTA_IMAGES by the uploads under way at once.
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
      // The row is locked until the transaction ends. A rejection rolls the count back.
      const [row] = await sql.query<{ generations: number }>(COUNT, [userId, generations]);
      const used = (row?.generations ?? generations) - generations;
      if (used + generations <= quotaGenerationsPerDay) return;
      const resetsAt = new Date();
      resetsAt.setUTCHours(24, 0, 0, 0);
      throw new QuotaExceededError(
        `The user has used ${used} of ${quotaGenerationsPerDay} generations today (QUOTA_GENERATIONS_PER_DAY) and requests ${generations} more. The count starts again at ${resetsAt.toISOString()}.`,
        { limit: quotaGenerationsPerDay, used, unit: 'generations', resetsAt },
      );
    },
  };

  async function keptBy(sql: Queryable, userId: string): Promise<{ images: number; bytes: number }> {
    const [kept] = await sql.query<{ images: number; bytes: number }>(KEPT, [userId]);
    return kept ?? { images: 0, bytes: 0 };
  }

  function checkRoom(used: { images: number; bytes: number }, more: { images: number; bytes: number }): void {
    // Without a known size, only a full quota is rejected.
    if (quotaBytes !== null && used.bytes + Math.max(more.bytes, 1) > quotaBytes) {
      throw new QuotaExceededError(
        `The user has ${formatBytes(used.bytes)} of the allowed ${formatBytes(quotaBytes)} (QUOTA_BYTES). Purge images to make room.`,
        { limit: quotaBytes, used: used.bytes, unit: 'bytes', resetsAt: null },
      );
    }
    if (quotaImages !== null && used.images + more.images > quotaImages) {
      throw new QuotaExceededError(
        `The user has ${used.images} of the allowed ${quotaImages} images, including those that are being generated (QUOTA_IMAGES). Purge some to make room.`,
        { limit: quotaImages, used: used.images, unit: 'images', resetsAt: null },
      );
    }
  }
}
