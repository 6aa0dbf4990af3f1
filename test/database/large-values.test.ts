import { hash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

const onPostgresql = Boolean(process.env.TEST_DATABASE_URL);

describe('values of a statement', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    await app.database.query(
      'CREATE TABLE given (place integer, data bytea, more bytea, text text, number float8, flag boolean, tags text[], at timestamptz)',
    );
  });
  afterAll(() => app.close());

  const INSERT = `INSERT INTO given VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING encode(sha256(data), 'hex') AS data, encode(sha256(more), 'hex') AS more, text, number, flag, tags, at`;
  const insert = async (
    place: number,
    data: Uint8Array | null,
    more: Uint8Array | null,
    text: string | null,
  ) => {
    const at = new Date('2026-11-21T12:00:00.123Z');
    const [row] = await app.database.query(INSERT, [place, data, more, text, 0.5, true, ['ä', '"'], at]);
    const sha256 = (bytes: Uint8Array | null) => (bytes === null ? null : hash('sha256', bytes));
    expect(row).toEqual({
      ...{ data: sha256(data), more: sha256(more), text, number: 0.5, flag: true, tags: ['ä', '"'] },
      at: expect.toSatisfy((value: Date | string) => new Date(value).getTime() === at.getTime()),
    });
  };

  test.each([
    ['small', 100],
    ['one byte short of large', 16 * 1024 - 1],
    ['large', 16 * 1024],
    ['of a megabyte', 1_000_001],
    // The embedded database takes ten seconds for so many.
    ['of more than a socket takes at once', onPostgresql ? 20_000_000 : 2_000_000],
  ])('arrive as they are: %s', async (_what, length) => {
    const bytes = randomBytes(length);
    await insert(length, bytes, randomBytes(10), 'é \u{1F98A}');
    await insert(length, randomBytes(0), bytes, null);
    await insert(length, null, bytes, 'x'.repeat(100_000));
    await insert(length, bytes, new Uint8Array(bytes), '');
  });

  test('do not mix with those of other statements or errors', async () => {
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const bytes = randomBytes(50_000 + i * 1000);
        if (i % 4 > 0) return insert(i, bytes, null, `${i}`);
        const broken = app.database.query('SELECT $1::int AS n, octet_length($2::bytea) AS bytes', [
          'no number',
          bytes,
        ]);
        await expect(broken).rejects.toThrow(/number|integer/);
      }),
    );
  });

  // The driver of the embedded database takes 32,767.
  test.runIf(onPostgresql)('may be as many as the protocol counts', async () => {
    const many = 32_768;
    const places = Array.from({ length: many - 1 }, (_, i) => `($${i + 2}::int)`).join(', ');
    const [row] = await app.database.query(
      `SELECT octet_length($1::bytea) AS bytes, (SELECT sum(n)::int FROM (VALUES ${places}) AS each (n)) AS sum`,
      [randomBytes(20_000), ...Array.from({ length: many - 1 }, () => 1)],
    );
    expect(row).toEqual({ bytes: 20_000, sum: many - 1 });
  });

  test('that cannot be converted leave the connection usable', async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (let i = 0; i < 20; i++) {
      const query = app.database.query('SELECT $1::bytea AS bytes, $2::jsonb AS json', [
        randomBytes(100_000),
        circular,
      ]);
      await expect(query).rejects.toThrow(/circular/i);
    }
    await insert(1, randomBytes(100_000), null, 'after it');
  });
});
