/** Statistics by what only the table, the generations and the copies have. */
import type { ReadableDatabase } from '../../database/replica.ts';
import { DURABILITIES, type Durability } from '../copies.ts';
import type { ImageFilter } from './conditions.ts';
import { durabilityIn, type JudgingStores, UNHEALTHY_BLOBS } from './durability.ts';
import { newestImages, sumUp } from './newest-images.ts';

export interface Figures {
  readonly total: number;
  readonly failed: number;
  readonly bytes: number;
}

/** Durations in seconds. */
export interface Durations {
  /** Number of images whose duration is known. */
  readonly images: number;
  readonly mean: number;
  readonly median: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly longest: number;
}

export interface Spend {
  /** US dollars; null: no cost is known. */
  readonly usd: number | null;
  /** Number of images whose cost is known. */
  readonly images: number;
  /** Number of images that a provider made at a cost that is not known. */
  readonly unknown: number;
}

/** Each list has the most images first. Members that were not asked for are empty. */
export interface TableStats {
  /** null: images without a model. */
  readonly byModel: readonly (Figures & { readonly model: string | null })[];
  /** null: images without a provider. */
  readonly byProvider: readonly (Figures & { readonly provider: string | null })[];
  readonly byVisibility: readonly (Figures & { readonly visibility: 'public' | 'private' })[];
  /** Images that failed; null: without a code. */
  readonly byErrorCode: readonly { readonly errorCode: string | null; readonly total: number }[];
  /** Images with a healthy copy in a store. */
  readonly byStore: readonly { readonly store: string; readonly total: number; readonly bytes: number }[];
  /** By hour of the day in UTC, 0 to 23. */
  readonly byHour: readonly (Figures & { readonly hour: number })[];
  readonly byDurability: Readonly<Record<Durability, number>>;
  /** null: of no image. */
  readonly generationSeconds: Durations | null;
  /** null: of no image. */
  readonly queueSeconds: Durations | null;
  readonly spend: Spend & { readonly byModel: readonly (Spend & { readonly model: string | null })[] };
}

export const TABLE_FIELDS = [
  ...['byModel', 'byProvider', 'byVisibility', 'byErrorCode', 'byStore', 'byHour', 'byDurability'],
  ...['generationSeconds', 'queueSeconds', 'spend'],
] as readonly (keyof TableStats)[];

/** Most values of a list. */
export const MAX_VALUES = 100;
export const MAX_MODELS = MAX_VALUES;

/**
 * Most copies that are not healthy to read at once. Where more are, the copies of each counted image are
 * looked up: a store may have lost all of its copies.
 */
const MAX_UNHEALTHY = 50_000;

interface TableRow {
  readonly kind: keyof TableStats | 'looked' | 'spendByModel';
  readonly value: string | null;
  readonly total: number;
  readonly failed: number;
  readonly bytes: number;
  readonly more: unknown;
}

interface TableOptions {
  readonly asks: (field: string) => boolean;
  /** For `byDurability`. */
  readonly stores: JudgingStores | null;
  /** Most images to read. */
  readonly limit: number;
  /** For tests. Default: MAX_UNHEALTHY. */
  readonly maxUnhealthy?: number | undefined;
}

/** Sums up the newest images, at most `limit`, in one pass. Computes the fields that were asked for. */
export async function countTable(
  database: ReadableDatabase,
  filter: ImageFilter,
  options: TableOptions,
): Promise<{ stats: TableStats; looked: number }> {
  const { asks } = options;
  const { text, values } = newestImages(filter, COLUMNS, options.limit);
  const parts = PARTS.filter(([fields]) => fields.some(asks)).map(([, part]) => part);
  if (asks('byDurability')) parts.push(await durabilityPart(database, options, values));
  const made = NEEDS_GENERATIONS.some(asks) ? `, made AS MATERIALIZED (${MADE})` : '';
  const looked = `SELECT 'looked' AS kind, NULL AS value, count(*) AS total, 0::bigint AS failed, 0::bigint AS bytes, NULL::jsonb AS more FROM looked`;
  const rows = await sumUp<TableRow>(
    database,
    `WITH looked AS MATERIALIZED (${text})${made} ${[looked, ...parts.map((part) => `(${part})`)].join(' UNION ALL ')}`,
    values,
  );
  return { stats: statsOf(rows), looked: rows.find(({ kind }) => kind === 'looked')?.total ?? 0 };
}

const COLUMNS =
  'i.id, i.model, i.provider, i.visibility, i.error_code, i.created_at, i.blob_id, i.status, i.bytes';

const FIGURES = `count(*) AS total, count(*) FILTER (WHERE status = 'failed') AS failed, coalesce(sum(bytes), 0)::bigint AS bytes`;

/** Returns the query of the figures by an expression, most images first. */
const figuresBy = (kind: keyof TableStats, value: string, more = '') =>
  `SELECT '${kind}' AS kind, (${value})::text AS value, ${FIGURES}, NULL::jsonb FROM looked WHERE found ${more}
   GROUP BY 2 ORDER BY total DESC, 2 LIMIT ${MAX_VALUES}`;

/**
 * Generations of the images. Seconds of the generation: of the attempt that succeeded. Seconds in the queue:
 * until the last call, from when it was due; a retry is due later. The cost is that of the last response,
 * which is stored with the generation; a client cannot write it. `OFFSET 0` keeps PostgreSQL from a merge
 * join, which would read the generations of all images.
 */
const MADE = `SELECT l.model, CASE WHEN g.state = 'done' THEN
      extract(epoch FROM (g.attempts -> -1 ->> 'endedAt')::timestamptz - (g.attempts -> -1 ->> 'startedAt')::timestamptz)::float8 END AS "generationSeconds",
    CASE WHEN g.asked_at >= g.run_at THEN extract(epoch FROM g.asked_at - g.run_at)::float8 END AS "queueSeconds",
    g.answer IS NOT NULL AS answered,
    CASE WHEN jsonb_typeof(g.answer #> '{metadata,costUsd}') = 'number' THEN (g.answer #>> '{metadata,costUsd}')::float8 END AS cost
  FROM looked l CROSS JOIN LATERAL (SELECT * FROM generations WHERE image_id = l.id OFFSET 0) g WHERE l.found`;

const NEEDS_GENERATIONS = ['generationSeconds', 'queueSeconds', 'spend'];

const durations = (kind: 'generationSeconds' | 'queueSeconds') =>
  `SELECT '${kind}', NULL, count("${kind}"), 0, 0, to_jsonb(percentile_cont(ARRAY[0.5, 0.9, 0.95, 0.99, 1]) WITHIN GROUP (ORDER BY "${kind}")
     || avg("${kind}")) FROM made`;

const SPEND = `count(cost), count(*) FILTER (WHERE answered AND cost IS NULL), 0, to_jsonb(sum(cost)) FROM made`;

/** Parts of the statement, with the fields that need them. */
const PARTS: readonly (readonly [fields: readonly (keyof TableStats)[], part: string])[] = [
  [['byModel'], figuresBy('byModel', 'model')],
  [['byProvider'], figuresBy('byProvider', 'provider')],
  [
    ['byVisibility'],
    figuresBy('byVisibility', `CASE visibility WHEN 'public' THEN 'public' ELSE 'private' END`),
  ],
  [['byErrorCode'], figuresBy('byErrorCode', 'error_code', `AND status = 'failed'`)],
  [['byHour'], figuresBy('byHour', `extract(hour FROM created_at AT TIME ZONE 'UTC')`)],
  [
    ['byStore'],
    `SELECT 'byStore', c.store, count(*) AS total, 0, coalesce(sum(l.bytes), 0)::bigint, NULL
     FROM looked l CROSS JOIN LATERAL (SELECT store FROM copies
       WHERE blob_id = l.blob_id AND state = 'STORED' OFFSET 0) c WHERE l.found
     GROUP BY c.store ORDER BY total DESC, c.store COLLATE "C" LIMIT ${MAX_VALUES}`,
  ],
  [['generationSeconds'], durations('generationSeconds')],
  [['queueSeconds'], durations('queueSeconds')],
  [['spend'], `SELECT 'spend', NULL, ${SPEND}`],
  [
    ['spend'],
    `SELECT 'spendByModel', model, ${SPEND} WHERE answered GROUP BY model
     ORDER BY sum(cost) DESC NULLS LAST, model COLLATE "C" LIMIT ${MAX_VALUES}`,
  ],
];

async function durabilityPart(
  database: ReadableDatabase,
  { stores, maxUnhealthy = MAX_UNHEALTHY }: TableOptions,
  values: unknown[],
): Promise<string> {
  if (!stores) throw new Error('Statistics by durability need the configured stores.');
  const is = durabilityIn(`$${values.push(stores.names)}`);
  const isRare = stores.allOnRecord && (await areUnhealthyRare(database, maxUnhealthy));
  // With all copies on record, a blob without an unhealthy one is durable.
  const judged = isRare
    ? `CASE WHEN u.blob_id IS NULL THEN 'DURABLE' ELSE ${is} END AS durability
       FROM looked i LEFT JOIN (${UNHEALTHY_BLOBS}) u ON u.blob_id = i.blob_id`
    : `${is} AS durability FROM looked i`;
  return `SELECT 'byDurability', durability, count(*), 0, 0, NULL
    FROM (SELECT ${judged} WHERE i.found AND i.blob_id IS NOT NULL) each GROUP BY durability`;
}

/** Returns whether few copies are not healthy. Reads at most `most` entries of idx_copies_retry_at. */
async function areUnhealthyRare(database: ReadableDatabase, most: number): Promise<boolean> {
  const [row] = await database.query<{ count: number }>(
    `SELECT count(*) AS count FROM (SELECT FROM copies c WHERE c.state <> 'STORED' LIMIT ${most + 1}) few`,
  );
  return (row?.count ?? 0) <= most;
}

function statsOf(rows: readonly TableRow[]): TableStats {
  const of = (kind: TableRow['kind']) =>
    rows.filter((row) => row.kind === kind && row.total + row.failed > 0);
  const figures = ({ total, failed, bytes }: TableRow): Figures => ({ total, failed, bytes });
  const [spend] = of('spend');
  return {
    byModel: of('byModel').map((row) => ({ model: row.value, ...figures(row) })),
    byProvider: of('byProvider').map((row) => ({ provider: row.value, ...figures(row) })),
    byVisibility: of('byVisibility').map((row) => ({
      visibility: row.value as 'public' | 'private',
      ...figures(row),
    })),
    byErrorCode: of('byErrorCode').map(({ value, total }) => ({ errorCode: value, total })),
    byStore: of('byStore').map(({ value, total, bytes }) => ({ store: value ?? '', total, bytes })),
    byHour: of('byHour')
      .map((row) => ({ hour: Number(row.value), ...figures(row) }))
      .toSorted((a, b) => a.hour - b.hour),
    byDurability: {
      ...NO_DURABILITY,
      ...Object.fromEntries(of('byDurability').map(({ value, total }) => [value, total])),
    },
    generationSeconds: durationsOf(of('generationSeconds')),
    queueSeconds: durationsOf(of('queueSeconds')),
    spend: {
      ...spendOf(spend),
      byModel: of('spendByModel').map((row) => ({ model: row.value, ...spendOf(row) })),
    },
  };
}

const NO_DURABILITY = Object.fromEntries(DURABILITIES.map((each) => [each, 0])) as Record<Durability, number>;

function durationsOf([row]: readonly TableRow[]): Durations | null {
  if (!row) return null;
  const [median = 0, p90 = 0, p95 = 0, p99 = 0, longest = 0, mean = 0] = row.more as number[];
  return { images: row.total, mean, median, p90, p95, p99, longest };
}

const spendOf = (row: TableRow | undefined): Spend => ({
  usd: row && row.total > 0 ? Number(row.more) : null,
  images: row?.total ?? 0,
  unknown: row?.failed ?? 0,
});

export const NO_TABLE: TableStats = statsOf([]);
