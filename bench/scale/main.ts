/**
 * `npm run bench:scale -- [NAME…] [--rows N] [--keep DIRECTORY] [--explain] [--json FILE]`: the cost of each
 * kind of query at 200,000 images and at N (default: ten million). Calls the functions of the product, on a
 * PostgreSQL server with default memory, started for the run.
 *
 * Time: median of calls on one connection, after PostgreSQL has chosen its plan. Pages: of 8 KiB, read by the
 * statements of one more call, by EXPLAIN (ANALYZE, BUFFERS). `--keep` leaves the data for the next run,
 * which then applies only new migrations; ten million images take 13 GB and a quarter of an hour. PostgreSQL
 * runs at the lowest priority, so compare ratios and pages rather than times.
 *
 * Over 300 lines because the table of queries is one list.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import type { Database } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { makeQuotas } from '../../src/image/ingest/quota.ts';
import type { ImageFilter } from '../../src/image/list/conditions.ts';
import { countImages } from '../../src/image/list/count.ts';
import { writeCursor } from '../../src/image/list/cursor.ts';
import { type ImageOrder, listImagesOrCards, type PageArgs } from '../../src/image/list/list.ts';
import { countStats } from '../../src/image/list/stats.ts';
import { findByHashes } from '../../src/image/related/duplicates.ts';
import { findExpired } from '../../src/image/trash/purge.ts';
import { claimRepairs } from '../../src/storage/copies.ts';
import { walkCopies } from '../../src/storage/repair/walk-copies.ts';
import { startPostgresql } from '../../test/postgresql.ts';
import { describeMachine, readMachine } from '../report.ts';
import { type Explained, explaining } from './explain.ts';
import { HEAVY, LIGHT, seedScale, vacuumDatabase } from './seed.ts';

const SMALL = 200_000;
const LARGE = 10_000_000;
/** PostgreSQL plans a statement for its values five times before it may keep one plan. */
const WARM_UP = 6;
const CALLS = 15;
/** Time limit for one query; slow queries are called less often. */
const SECONDS_PER_QUESTION = 6;
const COUNT_LIMIT = 100_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string' },
    keep: { type: 'string' },
    json: { type: 'string' },
    explain: { type: 'boolean', default: false },
    'database-url': { type: 'string' },
  },
});
const note = (text: string) => void process.stderr.write(`${text}\n`);

interface Size {
  readonly rows: number;
  readonly database: Database;
}

type Ask = (database: Database, size: Size) => Promise<unknown>;

type CursorOf = (size: Size) => Promise<string>;

const page = (
  filter: ImageFilter,
  more: { order?: ImageOrder; after?: CursorOf; before?: CursorOf; backward?: boolean } = {},
): Ask => {
  const cursors = new Map<number, Pick<PageArgs, 'after' | 'before'>>();
  return async (database, size) => {
    const { rows } = size;
    const known = cursors.get(rows) ?? {
      after: await more.after?.(size),
      before: await more.before?.(size),
    };
    cursors.set(rows, known);
    const sizes = more.backward ? { last: 20 } : { first: 20 };
    return listImagesOrCards(database, filter, { ...sizes, ...known, order: more.order, cards: true });
  };
};
const count =
  (filter: ImageFilter): Ask =>
  (database) =>
    countImages(database, filter, COUNT_LIMIT);
const stats =
  (filter: ImageFilter, fields?: readonly string[]): Ask =>
  (database) =>
    countStats({ database }, filter, fields && { fields: new Set(fields) });

/** Condition of the images that lists show. */
const LISTED = 'deleted_at IS NULL AND part_of IS NULL';

/** Returns the cursor at a share (0 to 1) of a list. */
const deep =
  (where: string, share: number) =>
  async ({ database, rows }: Size) => {
    const [row] = await database.query<{ key: number; id: number }>(
      `SELECT (extract(epoch FROM created_at) * 1000000)::bigint AS key, id FROM generated_images WHERE ${where}
       ORDER BY created_at DESC, id DESC OFFSET $1 LIMIT 1`,
      [Math.floor(rows * share)],
    );
    return writeCursor('createdAt', row ?? { key: 0, id: 0 });
  };

const YEAR = { createdAfter: new Date('2024-01-01'), createdBefore: new Date('2025-01-01') };
const BY_BYTES = { order: { field: 'bytes', direction: 'desc' } } as const;
const COMMON = 'tag-1';
const RARER = 'tag-300';
const HASH = createHash('sha256').update('1000').digest('hex');
const QUOTAS = { quotaBytes: 1e18, quotaImages: 1e12, quotaGenerationsPerDay: null };

const QUESTIONS: Record<string, Ask> = {
  'page of all': page({}),
  'page 5,000 and deeper, of all': page({}, { after: deep(LISTED, 0.5) }),
  'page of a light user': page({ userId: LIGHT }),
  'page of a heavy user': page({ userId: HEAVY }),
  'page deep in a heavy user': page({ userId: HEAVY }, { after: deep(`user_id = '${HEAVY}'`, 0.05) }),
  'between two cursors, of all': page({}, { after: deep(LISTED, 0.5), before: deep(LISTED, 0.7) }),
  'between two cursors, of all, from their end': page(
    {},
    { after: deep(LISTED, 0.5), before: deep(LISTED, 0.7), backward: true },
  ),
  'between two cursors, of a heavy user': page(
    { userId: HEAVY },
    { after: deep(`user_id = '${HEAVY}'`, 0.01), before: deep(`user_id = '${HEAVY}'`, 0.05) },
  ),
  'between two cursors, tag (1 of 1,000) and status': page(
    { tags: [RARER], status: ['success'] },
    { after: deep(LISTED, 0.2), before: deep(LISTED, 0.7) },
  ),
  'between two cursors, word (1 of 1,000)': page(
    { search: 'w700' },
    { after: deep(LISTED, 0.2), before: deep(LISTED, 0.7) },
  ),
  'page of a year': page(YEAR),
  'tag (common) and status': page({ tags: [COMMON], status: ['success'] }),
  'tag (1 of 1,000) and status': page({ tags: [RARER], status: ['success'] }),
  'tag (30 in all) and status': page({ tags: ['rare'], status: ['success'] }),
  'tag (common) and failed': page({ tags: [COMMON], status: ['failed'] }),
  'tag (1 of 1,000) and failed': page({ tags: [RARER], status: ['failed'] }),
  'tag that nobody has': page({ tags: ['nothing'], status: ['success'] }),
  'heavy user, tag (common)': page({ userId: HEAVY, tags: [COMMON] }),
  'heavy user, tag (1 of 1,000)': page({ userId: HEAVY, tags: [RARER] }),
  'heavy user, tag (10 of hers)': page({ userId: HEAVY, tags: ['rare-of-heavy'] }),
  'heavy user, tag that others have': page({ userId: HEAVY, tags: ['others'] }),
  'light user, tag (common)': page({ userId: LIGHT, tags: [COMMON] }),
  'two tags (common)': page({ tags: [COMMON, 'tag-2'] }),
  'two tags (common, rare)': page({ tags: [COMMON, 'rare'] }),
  'any of two tags': page({ anyTag: [RARER, 'rare'] }),
  'heavy user, any of two tags (rare, others)': page({ userId: HEAVY, anyTag: ['rare-of-heavy', 'others'] }),
  failed: page({ status: ['failed'] }),
  'heavy user, failed': page({ userId: HEAVY, status: ['failed'] }),
  pending: page({ status: ['pending'] }),
  'word (half of all)': page({ search: 'w1' }),
  'word (1 of 100)': page({ search: 'w70' }),
  'word (1 of 1,000)': page({ search: 'w700' }),
  'word (1 of 10,000)': page({ search: 'w7000' }),
  'word (30 in all)': page({ search: 'needle' }),
  'two words (common)': page({ search: 'w1 w2' }),
  'two words (common, rare)': page({ search: 'w1 needle' }),
  'heavy user, word (half of all)': page({ userId: HEAVY, search: 'w1' }),
  'heavy user, word (1 of 1,000)': page({ userId: HEAVY, search: 'w700' }),
  'heavy user, word (30 in all)': page({ userId: HEAVY, search: 'needle' }),
  'light user, word (1 of 1,000)': page({ userId: LIGHT, search: 'w700' }),
  'metadata (all)': page({ metadata: { locale: 'en' } }),
  'metadata (1 of 10)': page({ metadata: { channel: 'channel-1' } }),
  'metadata (1 of 1,000)': page({ metadata: { channel: 'channel-200' } }),
  'metadata (10 in all)': page({ metadata: { batch: 777 } }),
  'heavy user, metadata (1 of 1,000)': page({ userId: HEAVY, metadata: { channel: 'channel-200' } }),
  'heavy user, metadata (1 of hers)': page({ userId: HEAVY, metadata: { batch: 777 } }),
  'tool (common)': page({ tool: 'generateAvatar' }),
  'tool (30 in all)': page({ tool: 'newcomer' }),
  'model (30 in all)': page({ model: 'newcomer' }),
  'provider (30 in all)': page({ provider: 'newcomer' }),
  'heavy user, model (30 in all)': page({ userId: HEAVY, model: 'newcomer' }),
  'origin (1 of 20)': page({ origin: 'uploaded' }),
  'private, of all': page({ visibility: 'private' }),
  'heavy user, private': page({ userId: HEAVY, visibility: 'private' }),
  'trash of all': page({ trash: 'only' }),
  'trash of a heavy user': page({ userId: HEAVY, trash: 'only' }),
  'with parts and trash': page({ trash: 'include', parts: true }),
  'copies missing': page({ copies: { store: 'database', state: 'MISSING' } }),
  'copies stored': page({ copies: { store: 'database', state: 'STORED' } }),
  'by bytes, of all': page({}, BY_BYTES),
  'by bytes, of a heavy user': page({ userId: HEAVY }, BY_BYTES),
  'by bytes, of a light user': page({ userId: LIGHT }, BY_BYTES),
  'by bytes, tag (1 of 1,000)': page({ tags: [RARER] }, BY_BYTES),
  'by bytes, tag (30 in all)': page({ tags: ['rare'] }, BY_BYTES),
  sha256: page({ sha256: HASH }),
  requestId: page({ requestId: 'request-500' }),
  storageUrl: page({ storageUrl: '/images/nothing' }),
  'count of all': count({}),
  'count of a light user': count({ userId: LIGHT }),
  'count of a heavy user': count({ userId: HEAVY }),
  'count of a tag (common)': count({ tags: [COMMON] }),
  'count of a tag (1 of 1,000)': count({ tags: [RARER] }),
  'count of a heavy user, tag (10 of hers)': count({ userId: HEAVY, tags: ['rare-of-heavy'] }),
  'count of a heavy user, tag and failed': count({ userId: HEAVY, tags: [RARER], status: ['failed'] }),
  'count of failed': count({ status: ['failed'] }),
  'count of a word (half of all)': count({ search: 'w1' }),
  'count of a word (1 of 1,000)': count({ search: 'w700' }),
  'count of metadata (1 of 10)': count({ metadata: { channel: 'channel-1' } }),
  'count of metadata (10 in all)': count({ metadata: { batch: 777 } }),
  'count of a tool (common)': count({ tool: 'generateAvatar' }),
  'count of a model (30 in all)': count({ model: 'newcomer' }),
  'count of a heavy user, failed': count({ userId: HEAVY, status: ['failed'] }),
  'count of copies stored': count({ copies: { store: 'database', state: 'STORED' } }),
  'stats of all': stats({}),
  'stats of all, by model': stats({}, ['byModel']),
  'stats of all, by provider, visibility, error and hour': stats({}, [
    'byProvider',
    'byVisibility',
    'byErrorCode',
    'byHour',
  ]),
  'stats of all, by store': stats({}, ['byStore']),
  'stats of all, times and spend': stats({}, ['generationSeconds', 'queueSeconds', 'spend']),
  'stats of a heavy user, times and spend': stats({ userId: HEAVY }, [
    'generationSeconds',
    'queueSeconds',
    'spend',
  ]),
  'stats of a month': stats({
    createdAfter: new Date('2026-10-01'),
    createdBefore: new Date('2026-11-01'),
  }),
  'stats of a heavy user': stats({ userId: HEAVY }),
  'stats of a light user': stats({ userId: LIGHT }),
  'stats of a tag (common)': stats({ tags: [COMMON] }),
  'stats of a tag (1 of 1,000)': stats({ tags: [RARER] }),
  'stats of a heavy user, tag (10 of hers)': stats({ userId: HEAVY, tags: ['rare-of-heavy'] }),
  'stats of failed': stats({ status: ['failed'] }),
  'stats of a word (30 in all)': stats({ search: 'needle' }),
  'stats of a model (30 in all)': stats({ model: 'newcomer' }),
  duplicates: (database) => findByHashes(database, [HASH], null),
  'purge, with nothing due': (database) => findExpired(database, new Date('2020-01-01'), 0),
  'purge, with all of the trash due': (database) => findExpired(database, new Date('2030-01-01'), 0),
  'quota of a light user': (database) => makeQuotas(database, QUOTAS).requireRoom(LIGHT),
  'quota of a heavy user': (database) => makeQuotas(database, QUOTAS).requireRoom(HEAVY),
  'verify, its next 200 copies': (database) =>
    walkCopies(database, { names: ['filesystem', 'database'], deep: true, signal: undefined }).next(),
  'repair, the next 4 copies': (database) => claimRepairs(database, ['filesystem', 'database'], 4),
};

interface Measured {
  readonly milliseconds: number;
  /** Pages of 8 KiB that the statements of one call read. */
  readonly pages: number;
  readonly statements: number;
  /** Indexes and scans of the plans. */
  readonly how: string;
  readonly plans: readonly string[];
}

async function main(): Promise<void> {
  const rows = Number(options.rows ?? LARGE);
  const names = Object.keys(QUESTIONS).filter(
    (name) => positionals.length === 0 || positionals.some((wanted) => name.includes(wanted)),
  );
  const opened: (() => Promise<void>)[] = [];
  try {
    let url = options['database-url'];
    if (url === undefined) {
      const postgresql = await startPostgresql({
        nice: 19,
        ...(options.keep && { directory: options.keep }),
      });
      opened.push(() => postgresql.stop());
      url = postgresql.url;
    }
    const sizes: Size[] = [];
    // Fewer rows are a smoke test, compared with a tenth of them.
    for (const each of [rows > SMALL ? SMALL : Math.ceil(rows / 10), rows]) {
      const size = await openSize(url, each);
      opened.push(() => size.database.close());
      sizes.push(size);
    }
    const machine = await readMachine(sizes[0]?.database as Database);
    note(describeMachine(machine));
    const results: { name: string; sizes: Measured[] }[] = [];
    for (const name of names) {
      const measured: Measured[] = [];
      for (const size of sizes) measured.push(await measure(size, QUESTIONS[name] as Ask));
      results.push({ name, sizes: measured });
      note(line(name, measured));
      if (options.explain) for (const { plans } of measured) note(plans.join('\n\n'));
    }
    process.stdout.write(
      `\n${describeMachine(machine)}\n\n| question | ${sizes.map((size) => size.rows.toLocaleString('en')).join(' | ')} | ratio | pages | statements, and how, at the larger |\n|---|---|---|---|---|---|\n${results.map((each) => line(each.name, each.sizes)).join('\n')}\n`,
    );
    if (options.json)
      await writeFile(options.json, `${JSON.stringify({ machine, rows, results }, null, 2)}\n`);
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

function line(name: string, [small, large]: readonly Measured[]): string {
  if (!small || !large) return name;
  const ms = ({ milliseconds }: Measured) => milliseconds.toPrecision(milliseconds < 100 ? 2 : 3);
  const ratio = (large.milliseconds / small.milliseconds).toFixed(1);
  return `| ${name} | ${ms(small)} ms | ${ms(large)} | ${ratio} | ${small.pages} → ${large.pages} | ${large.statements}: ${large.how} |`;
}

/** Opens a database with `rows` images; creates it when there is none. */
async function openSize(url: string, rows: number): Promise<Size> {
  const name = `scale_${rows}`;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const { rowCount } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const own = new URL(url);
  own.pathname = `/${name}`;
  // One connection, so that every statement is prepared on it.
  const database = await openPostgresql({
    url: own.href,
    poolSize: 1,
    onError: (error) => note(error.message),
  });
  const start = performance.now();
  const applied = await migrate(database);
  const seconds = () => ((performance.now() - start) / 1000).toFixed(0);
  if (rowCount === 0) {
    note(`seeding ${rows} images …`);
    await seedScale(database, rows, note);
    note(`seeded in ${seconds()} s`);
  } else if (applied.length > 0) {
    note(`${name}: ${applied.join(', ')} in ${seconds()} s`);
    await vacuumDatabase(database);
  }
  return { rows, database };
}

async function measure(size: Size, ask: Ask): Promise<Measured> {
  const { database } = size;
  const times: number[] = [];
  const begun = performance.now();
  for (let call = 0; call < WARM_UP + CALLS; call++) {
    const start = performance.now();
    await ask(database, size);
    times.push(performance.now() - start);
    if (performance.now() - begun > SECONDS_PER_QUESTION * 1000 && times.length > 2) break;
  }
  const warm = times.slice(Math.min(WARM_UP, times.length - 2)).sort((a, b) => a - b);
  const explained: Explained[] = [];
  await ask(explaining(database, explained, options.explain), size);
  return {
    milliseconds: warm[warm.length >> 1] ?? Number.NaN,
    pages: explained.reduce((total, { pages }) => total + pages, 0),
    statements: explained.length,
    how: explained.map(({ how }) => how).join('; '),
    plans: explained.map(({ text, plan }) => `${text}\n${plan}`),
  };
}

await main();
