/** Retention in memory: the second way of selecting images, and generated images and rules. */
import type { Queryable } from '../../src/database/database.ts';
import type { RetentionReason, RetentionRule } from '../../src/image/retention/rule.ts';

export interface ModelImage {
  readonly id: number;
  readonly userId: string;
  readonly tool: string;
  readonly status: string;
  readonly origin: string;
  readonly tags: readonly string[];
  readonly bytes: number;
  readonly created: number;
  readonly updated: number;
  readonly deleted: boolean;
  readonly pinned: boolean;
  readonly partOf: number | null;
}

export interface ModelRow {
  readonly id: number;
  readonly reason: RetentionReason | null;
  readonly bytes: number;
}

/** Selects by the rule as its documentation says, image by image. */
export function selectInMemory(images: readonly ModelImage[], rule: RetentionRule, at: Date): ModelRow[] {
  const byWhole = Map.groupBy(images, ({ partOf }) => partOf);
  const partsOf = (id: number): ModelImage[] =>
    (byWhole.get(id) ?? []).filter(({ deleted }) => !deleted).flatMap((part) => [part, ...partsOf(part.id)]);
  const filter = (rule.images ?? {}) as {
    userId?: string;
    tool?: string;
    tags?: string[];
    status?: string[];
    origin?: string;
  };
  const scope = images
    .filter((image) => !image.deleted && image.partOf === null)
    .filter(({ status }) => status === 'success' || status === 'failed')
    .filter((image) => filter.userId === undefined || image.userId === filter.userId)
    .filter((image) => filter.tool === undefined || image.tool === filter.tool)
    .filter((image) => filter.tags === undefined || filter.tags.every((tag) => image.tags.includes(tag)))
    .filter((image) => filter.status === undefined || filter.status.includes(image.status))
    .filter((image) => filter.origin === undefined || image.origin === filter.origin)
    .map((image) => {
      const parts = partsOf(image.id);
      return {
        id: image.id,
        time: rule.ageOf === 'UPDATED' ? image.updated : image.created,
        group: rule.per === 'USER' ? image.userId : rule.per === 'TOOL' ? image.tool : '',
        pinned: image.pinned || parts.some(({ pinned }) => pinned),
        bytes: image.bytes + parts.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    });
  const rows: ModelRow[] = [];
  for (const group of Map.groupBy(scope, (each) => each.group).values()) {
    const newest = group.toSorted((a, b) => b.time - a.time || b.id - a.id);
    const kept = new Set(newest.slice(0, rule.keepNewest ?? 0).map(({ id }) => id));
    let count = 0;
    let bytes = 0;
    for (const each of [
      ...newest.filter(({ pinned }) => pinned),
      ...newest.filter(({ pinned }) => !pinned),
    ]) {
      count++;
      bytes += each.bytes;
      let reason: RetentionReason | null = null;
      if (rule.maxBytes != null && bytes > rule.maxBytes) reason = 'BYTES';
      if (rule.maxCount != null && count > rule.maxCount) reason = 'COUNT';
      if (rule.maxAgeDays != null && each.time < at.getTime() - rule.maxAgeDays * 86_400_000) reason = 'AGE';
      if (each.pinned || kept.has(each.id)) reason = null;
      rows.push({ id: each.id, reason, bytes: each.bytes });
    }
  }
  return rows.sort((a, b) => a.id - b.id);
}

/**
 * Inserts images by one statement, with values that depend on the number of the image alone. Some are parts,
 * pinned, in the trash, being generated or failed; some have equal times.
 */
export async function insertImages(db: Queryable, count: number): Promise<void> {
  const [before] = await db.query<{ last: number }>(
    `SELECT coalesce(max(id), 0) AS last FROM generated_images`,
  );
  const last = before?.last ?? 0;
  await db.query(
    `INSERT INTO generated_images (user_id, tool_name, prompt, origin, status, tags, bytes, created_at, updated_at,
       deleted_at, pinned, part_of, part)
     SELECT 'user-' || h % 7, 'tool-' || (h / 7) % 3, 'image ' || n,
       (ARRAY['generated', 'uploaded', 'imported', 'recorded'])[1 + (h / 21) % 4],
       (ARRAY['success', 'success', 'success', 'failed', 'pending'])[1 + (h / 84) % 5],
       CASE (h / 420) % 3 WHEN 0 THEN '{}'::text[] WHEN 1 THEN '{draft}' ELSE '{draft,keep}' END,
       CASE WHEN (h / 84) % 5 = 3 THEN NULL ELSE (h / 5) % 1000 END,
       date_trunc('day', now()) - make_interval(days => ((h / 11) % 100)::int),
       date_trunc('day', now()) - make_interval(days => ((h / 13) % 50)::int),
       CASE WHEN (h / 17) % 12 = 0 THEN now() END, (h / 19) % 15 = 0,
       CASE WHEN n % 9 = 0 THEN $2::bigint + n - 1 WHEN n % 45 = 1 AND n > 1 THEN $2::bigint + n - 1 END,
       CASE WHEN n % 9 = 0 OR (n % 45 = 1 AND n > 1) THEN 'panel' END
     FROM (SELECT n, ('x' || substr(md5(n::text), 1, 7))::bit(28)::int AS h FROM generate_series(1, $1::int) n) numbers`,
    [count, last],
  );
}

const READ = `SELECT id, user_id AS "userId", tool_name AS tool, status, origin, coalesce(tags, '{}') AS tags,
    coalesce(bytes, 0) AS bytes, extract(epoch FROM created_at)::float8 * 1000 AS created,
    extract(epoch FROM updated_at)::float8 * 1000 AS updated, deleted_at IS NOT NULL AS deleted, pinned,
    part_of AS "partOf"
  FROM generated_images ORDER BY id`;
export const readImages = (db: Queryable) => db.query<ModelImage>(READ);
