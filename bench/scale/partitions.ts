/**
 * `node bench/scale/partitions.ts [--rows N]`: pages that list queries read when `generated_images` is one
 * table, partitioned by hash of the user, or by time. The functions of the product run on copies with the
 * same rows and indexes (default: a million images) in a PostgreSQL server that is started for the run.
 */
import { parseArgs } from 'node:util';
import type { Database } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import type { ImageFilter } from '../../src/image/list/conditions.ts';
import { countImages } from '../../src/image/list/count.ts';
import { listImagesOrCards } from '../../src/image/list/list.ts';
import { startPostgresql } from '../../test/postgresql.ts';
import { type Explained, explaining } from './explain.ts';
import { HEAVY, LIGHT, seedScale } from './seed.ts';

const PARTITIONS = 16;
const CALLS = 15;
const COUNT_LIMIT = 100_000;
const { values: options } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
const note = (text: string) => void process.stderr.write(`${text}\n`);

const page = (filter: ImageFilter) => (database: Database) =>
  listImagesOrCards(database, filter, { first: 20, cards: true });

const QUERIES: Record<string, (database: Database) => Promise<unknown>> = {
  'page of all': page({}),
  'page of a heavy user': page({ userId: HEAVY }),
  'page of a light user': page({ userId: LIGHT }),
  'tag (common) and status': page({ tags: ['tag-1'], status: ['success'] }),
  'heavy user, tag (common)': page({ userId: HEAVY, tags: ['tag-1'] }),
  'page of a year': page({ createdAfter: new Date('2024-01-01'), createdBefore: new Date('2025-01-01') }),
  'one image by its id': (database) =>
    database.query('SELECT * FROM generated_images WHERE id = $1', [Number(options.rows) - 7]),
  'count of a light user': (database) => countImages(database, { userId: LIGHT }, COUNT_LIMIT),
};

/** Statements that create the partitions of each layout. */
const LAYOUTS: Record<string, { by: string; partitions(bounds: string[]): string[] } | null> = {
  'one table': null,
  'hash of the user': {
    by: 'HASH (user_id)',
    partitions: () =>
      Array.from(
        { length: PARTITIONS },
        (_, i) =>
          `CREATE TABLE part_${i} PARTITION OF generated_images FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${i})`,
      ),
  },
  time: {
    by: 'RANGE (created_at)',
    partitions: (bounds) =>
      bounds
        .slice(0, -1)
        .map(
          (from, i) =>
            `CREATE TABLE part_${i} PARTITION OF generated_images FOR VALUES FROM ('${from}') TO ('${bounds[i + 1]}')`,
        ),
  },
};

async function main(): Promise<void> {
  const postgresql = await startPostgresql({ nice: 19 });
  const open = () =>
    openPostgresql({ url: postgresql.url, poolSize: 1, onError: ({ message }) => note(message) });
  try {
    const seeded = await open();
    await migrate(seeded);
    await seedScale(seeded, Number(options.rows), note);
    const indexes = await seeded.query<{ definition: string }>(
      `SELECT replace(pg_get_indexdef(indexrelid), 'UNIQUE ', '') AS definition
       FROM pg_index WHERE indrelid = 'generated_images'::regclass`,
    );
    // Equal shares of the rows, in order of creation.
    const [{ bounds = [] } = {}] = await seeded.query<{ bounds: string[] }>(
      `SELECT array_agg(at::text ORDER BY at) AS bounds FROM (
         SELECT min(created_at) AS at FROM (SELECT created_at, ntile($1) OVER (ORDER BY created_at) AS share
         FROM generated_images) s GROUP BY share
         UNION ALL SELECT max(created_at) + interval '1 day' FROM generated_images) b`,
      [PARTITIONS],
    );
    await seeded.executeSql('CREATE SCHEMA plain');
    await seeded.close();
    const results: Record<string, string[]> = {};
    for (const [name, layout] of Object.entries(LAYOUTS)) {
      const database = await open();
      if (layout) await lay(database, layout.by, layout.partitions(bounds), indexes);
      for (const [query, ask] of Object.entries(QUERIES)) {
        const cell = await measure(database, ask);
        note(`${name}, ${query}: ${cell}`);
        results[query] = [...(results[query] ?? []), cell];
      }
      await database.close();
    }
    const rows = Object.entries(results).map(([query, cells]) => `| ${query} | ${cells.join(' | ')} |`);
    process.stdout.write(
      `| query | ${Object.keys(LAYOUTS).join(' | ')} |\n|---|---|---|---|\n${rows.join('\n')}\n`,
    );
  } finally {
    await postgresql.stop();
  }
}

/** Replaces the table by a partitioned copy. The first table stays in the schema `plain`. */
async function lay(
  database: Database,
  by: string,
  partitions: readonly string[],
  indexes: readonly { definition: string }[],
): Promise<void> {
  const [{ isFirst } = { isFirst: false }] = await database.query<{ isFirst: boolean }>(
    `SELECT to_regclass('plain.generated_images') IS NULL AS "isFirst"`,
  );
  await database.executeSql(
    [
      isFirst ? 'ALTER TABLE generated_images SET SCHEMA plain' : 'DROP TABLE generated_images CASCADE',
      `CREATE TABLE generated_images (LIKE plain.generated_images INCLUDING DEFAULTS INCLUDING GENERATED) PARTITION BY ${by}`,
      ...partitions,
    ].join('; '),
  );
  // A generated column takes no value.
  const [{ columns = '' } = {}] = await database.query<{ columns: string }>(
    `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
     WHERE attrelid = 'plain.generated_images'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
  );
  await database.executeSql(
    `INSERT INTO generated_images (${columns}) SELECT ${columns} FROM plain.generated_images ORDER BY id`,
  );
  for (const { definition } of indexes) await database.executeSql(definition);
  await database.executeSql('VACUUM ANALYZE generated_images');
}

/** Returns the median time, the pages, and the number of partitions' indexes that the plans read. */
async function measure(database: Database, ask: (database: Database) => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    const start = performance.now();
    await ask(database);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const explained: Explained[] = [];
  await ask(explaining(database, explained, false));
  const pages = explained.reduce((total, each) => total + each.pages, 0);
  const scans = explained.flatMap(({ how }) => how.split(' + ')).filter((each) => each !== 'sort').length;
  return `${(times[CALLS >> 1] ?? Number.NaN).toPrecision(2)} ms, ${pages} pages, ${scans} scans`;
}

await main();
