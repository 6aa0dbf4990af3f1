import { connect, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queryable } from '../../src/database/database.ts';
import { parseTextArray, parseTimestamp } from '../../src/database/driver/type-parsers.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { clampTime, FIRST_TIME, LAST_TIME } from '../../src/time.ts';
import { makeDatabase, type TestDatabase } from '../harness.ts';
import { type Chance, COMPARE_SECONDS, COMPARE_SEED, compareForSeconds, makeChance } from './chance.ts';

const seconds = Math.min(COMPARE_SECONDS, 60);

/** Texts that a parser of ours reads by itself mean what pg's own parser says, whatever else is in the text. */
describe('texts of PostgreSQL', () => {
  const pgParses = (oid: number, text: string) =>
    (pg.types.getTypeParser(oid) as (text: string) => unknown)(text);

  test('times: read as pg reads them, or left to it', async () => {
    let read = 0;
    await compareForSeconds((seed) => {
      const chance = makeChance(seed);
      const text = mangled(chance, timestampText(chance));
      const parsed = parseTimestamp(text);
      if (parsed === null) return;
      read++;
      expect(parsed, `COMPARE_SEED=${seed} ${text}`).toEqual(pgParses(1184, text));
    }, 1);
    expect(read).toBeGreaterThan(20);
  });

  test('arrays: read as pg reads them, or left to it', async () => {
    let read = 0;
    await compareForSeconds((seed) => {
      const chance = makeChance(seed);
      const elements = chance.many(0, 5, () =>
        chance.oneOf(['a', 'NULL', 'null', '', '"x"', 'a b', 'ä', '{c}', '\\', "it's"]),
      );
      const text = mangled(chance, `{${elements.join(',')}}`);
      const parsed = parseTextArray(text);
      if (parsed === null) return;
      read++;
      expect(parsed, `COMPARE_SEED=${seed} ${text}`).toEqual(pgParses(1009, text));
    }, 1);
    expect(read).toBeGreaterThan(20);
  });
});

function timestampText(chance: Chance): string {
  const two = (most: number) => String(1 + chance.below(most)).padStart(2, '0');
  const year = chance.oneOf(['2026', '1999', '0044', '0001', '9999', '12026', '294276', '1000', '0999']);
  const fraction = chance.of(0.6) ? `.${chance.many(1, 6, () => chance.below(10)).join('')}` : '';
  const zone = chance.oneOf(['+00', '+00', '+00', '+05:30', '-08', '+00:30']);
  return `${year}-${two(12)}-${two(28)} ${two(23)}:${two(59)}:${two(59)}${fraction}${zone}${chance.of(0.1) ? ' BC' : ''}`;
}

/** Now and then with a character changed, left out or added. */
function mangled(chance: Chance, text: string): string {
  if (chance.of(0.8)) return text;
  const at = chance.below(text.length + 1);
  const added = chance.oneOf(['', '0', ' ', '.', '-', '+', ':', 'x', ',', '"', '{', '}', '٣']);
  return text.slice(0, at) + added + text.slice(at + chance.below(2));
}

/** What a value may be, as a parameter and the type it is cast to. */
const KINDS: Record<string, { type: string; make: (chance: Chance) => unknown }> = {
  time: {
    type: 'text)::timestamptz',
    make: (chance) =>
      chance.oneOf([
        () =>
          new Date(
            Date.UTC(2026, chance.below(12), 1 + chance.below(28), 0, 0, 0, chance.below(1000)),
          ).toISOString(),
        () =>
          chance.oneOf([
            'infinity',
            '-infinity',
            '0044-03-15 BC',
            '4713-01-01 BC',
            '12026-11-21',
            '294276-12-31',
            '0001-01-01',
          ]),
        () => `2026-11-21 10:00:00.${chance.below(1e6)}${chance.oneOf(['Z', '+05:30', '-11'])}`,
        () => null,
      ])(),
  },
  tags: {
    type: 'text[])',
    make: (chance) =>
      chance.of(0.1)
        ? null
        : chance.many(0, 4, () =>
            chance.oneOf([
              'a',
              'red-fox',
              '',
              'NULL',
              'null',
              null,
              'a,b',
              '"',
              '\\',
              '{}',
              'ä b',
              '\n',
              "'",
            ]),
          ),
  },
  nested: {
    type: 'text[])',
    make: (chance) => chance.many(1, 3, () => ['x', chance.oneOf(['NULL', 'a"b', 'c'])]),
  },
  big: { type: 'int8)', make: (chance) => chance.oneOf([null, 0, -1, 2 ** 31, -(2 ** 53) + 1, 2 ** 53 - 1]) },
  text: {
    type: 'text)',
    make: (chance) => chance.oneOf([null, '', 'x', 'ä\n"\\', 'é'.repeat(chance.below(30_000))]),
  },
  bytes: { type: 'bytea)', make: (chance) => bytes(chance) },
  json: {
    type: 'jsonb)',
    make: (chance) => chance.oneOf([null, '{}', '[1, null, "x"]', '{"a": {"b": 0.5}}', '"x"', '7', 'null']),
  },
  float: {
    type: 'float8)',
    make: (chance) => chance.oneOf([null, 0.1, -1e300, 5e-324, 'NaN', 'Infinity', '-Infinity']),
  },
  flag: { type: 'boolean)', make: (chance) => chance.oneOf([null, true, false]) },
  small: { type: 'int4)', make: (chance) => chance.oneOf([null, 0, -(2 ** 31), 2 ** 31 - 1]) },
};

function bytes(chance: Chance): Buffer | null {
  if (chance.of(0.1)) return null;
  const length = chance.oneOf([0, 1, 5, 100, 16 * 1024 - 1, 16 * 1024, chance.below(200_000)]);
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + length) & 255));
}

/** The value that pg's own parsers have made, as ours is to be. */
function expected(kind: string, value: unknown): unknown {
  if (kind === 'big' && typeof value === 'string') return Number(value);
  if (kind !== 'time' || value === null) return value;
  if (value instanceof Date) return clampTime(value);
  return (value as number) < 0 ? FIRST_TIME : LAST_TIME;
}

/**
 * A statement by any way of ours brings what plain pg brings: by the pool, by the shared connections, planned anew, in transactions, in memory that was given, with
 * values that are sent in parts, and with packets that are cut anywhere.
 */
describe.skipIf(!process.env.TEST_DATABASE_URL)('values of PostgreSQL', () => {
  let made: TestDatabase;
  let cutter: Server;
  let database: Database;
  let plain: pg.Client;
  let cuts: Chance;
  beforeAll(async () => {
    made = (await makeDatabase()) as TestDatabase;
    cuts = makeChance(COMPARE_SEED);
    const address = new URL(made.url);
    cutter = await startCutter(Number(address.port), address.hostname, () => cuts);
    address.port = String((cutter.address() as { port: number }).port);
    database = await openPostgresql({ url: address.href, poolSize: 4, onError: () => {} });
    plain = new pg.Client({ connectionString: made.url });
    await plain.connect();
    await plain.query(`SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET extra_float_digits = 1`);
  });
  afterAll(async () => {
    await plain.end();
    await database.close();
    cutter.close();
    await made.drop();
  });

  const ways: Record<string, (text: string, values: unknown[]) => Promise<Record<string, unknown>[]>> = {
    query: (text, values) => database.query(text, values),
    planned: (text, values) => database.query(text, values, { planned: true }),
    transaction: (text, values) => database.transaction((state: Queryable) => state.query(text, values)),
    snapshot: (text, values) => database.snapshot((state: Queryable) => state.query(text, values)),
    executeSql: async (text, values) =>
      (await database.executeSql(text, values)).rows as Record<string, unknown>[],
  };

  test('are the same by every way', { timeout: (seconds + 60) * 1000 }, async () => {
    const statements = ['query', ...Object.keys(ways)];
    let compared = 0;
    const seeds = await compareForSeconds(async (seed) => {
      const chance = makeChance(seed);
      await Promise.all(
        chance.many(1, 12, async () => {
          // Few texts, so that each comes often: prepared, and by the shared connections.
          const shape = makeChance(chance.below(12));
          const kinds = shape.many(1, 5, () => shape.oneOf(Object.keys(KINDS)));
          const rows = chance.oneOf([0, 1, 1, 3]);
          const list = kinds.map((kind, at) => `($${at + 1}::${KINDS[kind]?.type} AS "${kind}${at}"`);
          const text = `SELECT ${list.join(', ')} FROM generate_series(1, $${kinds.length + 1}::int4)`;
          const values = [...kinds.map((kind) => KINDS[kind]?.make(chance)), rows];
          const way = chance.oneOf(statements);
          if (chance.of(0.05)) {
            const failing = (ways[way] as (text: string, values: unknown[]) => Promise<unknown>)(
              'SELECT 1 / $1::int4 AS n',
              [0],
            );
            await expect(failing).rejects.toMatchObject({ code: '22012' });
          }
          const ours = await (ways[way] as NonNullable<(typeof ways)[string]>)(text, values);
          const theirs = (await plain.query(text, values)).rows.map((row) =>
            Object.fromEntries(
              Object.entries(row).map(([name, value]) => [name, expected(name.replace(/\d+$/, ''), value)]),
            ),
          );
          expect(ours, `COMPARE_SEED=${seed} by ${way}: ${text}`).toEqual(theirs);
          compared++;
        }),
      );
    }, seconds);
    process.stdout.write(`values: ${compared} statements of ${seeds} seeds from ${COMPARE_SEED}\n`);
    expect(compared).toBeGreaterThan(50);
  });

  test('rows of bytes are those that pg brings as text', { timeout: (seconds + 60) * 1000 }, async () => {
    const text =
      'SELECT data AS bytes FROM unnest($1::bytea[]) WITH ORDINALITY AS each(data, place) ORDER BY place';
    let rows = 0;
    await compareForSeconds(async (seed) => {
      const chance = makeChance(seed);
      await Promise.all(
        chance.many(1, 4, async () => {
          const values = chance.many(0, 8, () => bytes(chance));
          const room = chance.of(0.5) ? Buffer.alloc(chance.below(400_000)) : undefined;
          if (chance.of(0.1))
            await expect(database.queryBytes('SELECT $1::text::bytea AS bytes', ['\\x0'])).rejects.toThrow();
          const ours = await database.queryBytes(text, [values], room);
          const theirs = (await plain.query(text, [values])).rows.map((row) => row.bytes as Buffer | null);
          expect(ours.length).toBe(theirs.length);
          ours.forEach((row, at) => {
            const other = theirs[at] ?? null;
            const same = row === null || other === null ? row === other : Buffer.compare(row, other) === 0;
            expect(same, `COMPARE_SEED=${seed} row ${at}`).toBe(true);
          });
          rows += ours.length;
        }),
      );
    }, seconds);
    expect(rows).toBeGreaterThan(50);
  });
});

/** Stands between a client and a server and cuts what the server sends wherever it likes. */
async function startCutter(port: number, host: string, chanceOf: () => Chance): Promise<Server> {
  const server = createServer((near: Socket) => {
    const far = connect(port, host);
    near.pipe(far);
    far.on('data', (data: Buffer) => {
      const chance = chanceOf();
      for (let at = 0; at < data.length; ) {
        // Mostly whole; else a few bytes, so that heads of messages are cut.
        const length = chance.of(0.5) ? data.length - at : 1 + chance.below(chance.oneOf([3, 9, 4000]));
        near.write(Buffer.from(data.subarray(at, at + length)));
        at += length;
      }
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
