import type { QuotaLimits } from '../config.ts';
import type { Queryable } from '../database/database.ts';
import { QuotaExceededError } from '../errors.ts';
import { formatBytes } from '../storage/spool.ts';

/** Looks at the beginning of each way in whether a user may have more. */
export interface Quotas {
  /**
   * @param more what is about to be kept, as far as it is known by now, and the transaction to look within.
   * @throws QuotaExceededError
   */
  requireRoom(userId: string, more?: { readonly bytes?: number; readonly sql?: Queryable }): Promise<void>;
  /**
   * The same for images that are to be generated today (UTC), within the transaction that will record them.
   * @throws QuotaExceededError
   */
  requireGenerations(sql: Queryable, userId: string, count: number): Promise<void>;
}

// Both are answered by idx_generated_images_user_id_origin alone. What has no bytes takes no room; what lies in the trash does.
const KEPT = `SELECT count(bytes)::int AS images, coalesce(sum(bytes), 0)::float8 AS bytes FROM generated_images WHERE user_id = $1`;
// What was made of an image afterwards, such as the sizes of an icon, is no generation; each panel of a comic is.
const GENERATED = `SELECT count(*)::int AS generations FROM generated_images i
  WHERE user_id = $1 AND origin = 'generated' AND created_at >= $2::timestamptz
    AND EXISTS (SELECT 1 FROM generations g WHERE g.image_id = i.id)`;

/**
 * Nothing is locked: of requests that come at once each looks before the others have written. So a user may pass a quota by what they have under way
 * at once, which MAX_UPLOADS_PER_CALLER and MAX_UPLOAD_BYTES bound in each process, and never by more.
 */
export function makeQuotas(database: Queryable, limits: QuotaLimits): Quotas {
  const { quotaBytes, quotaImages, quotaGenerationsPerDay } = limits;

  return {
    async requireRoom(userId, { bytes = 0, sql = database } = {}) {
      if (quotaBytes === null && quotaImages === null) return;
      const [kept] = await sql.query<{ images: number; bytes: number }>(KEPT, [userId]);
      const used = kept ?? { images: 0, bytes: 0 };
      // Where the size is not known yet, a full quota is all that can be refused.
      if (quotaBytes !== null && used.bytes + Math.max(bytes, 1) > quotaBytes) {
        throw new QuotaExceededError(
          `The user has ${formatBytes(used.bytes)} of the ${formatBytes(quotaBytes)} that are allowed (QUOTA_BYTES). Purge images to make room.`,
          { limit: quotaBytes, used: used.bytes, unit: 'bytes', resetsAt: null },
        );
      }
      if (quotaImages !== null && used.images >= quotaImages) {
        throw new QuotaExceededError(
          `The user has ${used.images} of the ${quotaImages} images that are allowed (QUOTA_IMAGES). Purge some to make room.`,
          { limit: quotaImages, used: used.images, unit: 'images', resetsAt: null },
        );
      }
    },
    async requireGenerations(sql, userId, count) {
      if (quotaGenerationsPerDay === null) return;
      const today = new Date();
      today.setUTCHours(0, 0, 0, 0);
      const [found] = await sql.query<{ generations: number }>(GENERATED, [userId, today.toISOString()]);
      const used = found?.generations ?? 0;
      if (used + count <= quotaGenerationsPerDay) return;
      const resetsAt = new Date(today.getTime() + 86_400_000);
      throw new QuotaExceededError(
        `The user has asked for ${used} of the ${quotaGenerationsPerDay} generations that are allowed in a day (QUOTA_GENERATIONS_PER_DAY), and for ${count} more. There is room again at ${resetsAt.toISOString()}.`,
        { limit: quotaGenerationsPerDay, used, unit: 'generations', resetsAt },
      );
    },
  };
}
