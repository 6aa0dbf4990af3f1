import { hash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

describe('rows of bytes', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const ECHO =
    'SELECT data AS bytes FROM unnest($1::bytea[]) WITH ORDINALITY AS each(data, place) ORDER BY place';
  const echo = (values: (Buffer | null)[]) =>
    app.database.queryBytes(ECHO, [values.map((value) => value && Buffer.from(value))]);

  test('come as they are: every byte, nothing, NULL, and more than one packet', async () => {
    const values = [
      Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      Buffer.alloc(0),
      null,
      Buffer.from('é, which is UTF-8, and \u0000'),
      randomBytes(3_000_001),
      Buffer.from([0xff]),
    ];
    const rows = await echo(values);
    const digest = (row: Uint8Array | null) => (row === null ? null : hash('sha256', row));
    expect(rows.map(digest)).toEqual(values.map(digest));
    expect(await echo([])).toEqual([]);
  });

  test('of every length up to some, so that heads of messages are cut everywhere', async () => {
    const values = Array.from({ length: 600 }, (_, i) => randomBytes(i * 37));
    const rows = await echo(values);
    expect(rows.length).toBe(values.length);
    rows.forEach((row, i) => {
      expect(Buffer.from(row as Uint8Array).equals(values[i] as Buffer), `row ${i}`).toBe(true);
    });
  });

  test('do not mix with others, nor with errors, on connections that are shared', async () => {
    const work = Array.from({ length: 60 }, async (_, i) => {
      if (i % 4 === 0) {
        await expect(app.database.queryBytes('SELECT $1::text::bytea AS bytes', ['\\x0'])).rejects.toThrow();
      } else if (i % 2 === 0) {
        const [row] = await app.database.query<{ text: string; n: number }>(
          'SELECT $1::text AS text, 7::int8 AS n',
          [`ü ${i}`],
        );
        expect(row).toEqual({ text: `ü ${i}`, n: 7 });
      } else {
        const value = randomBytes(100_000 + i);
        const [row] = await echo([value]);
        expect(Buffer.from(row as Uint8Array).equals(value)).toBe(true);
      }
    });
    await Promise.all(work);
  });
});
