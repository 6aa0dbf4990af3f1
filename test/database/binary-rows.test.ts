import { hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BinaryRowsClient } from '../../src/database/driver/binary-rows.ts';
import { openTestApp, type TestApp } from '../harness.ts';

describe('queryBytes', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const ECHO =
    'SELECT data AS bytes FROM unnest($1::bytea[]) WITH ORDINALITY AS each(data, place) ORDER BY place';
  const echo = (values: (Buffer | null)[]) =>
    app.database.queryBytes(ECHO, [values.map((value) => value && Buffer.from(value))]);

  test('returns all byte values, empty values, NULL, and values of several packets', async () => {
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

  test('uses the given buffer while values fit, then memory of its own', async () => {
    const values = [randomBytes(70_000), null, randomBytes(200_000), randomBytes(50_000), randomBytes(10)];
    const room = Buffer.alloc(300_000);
    const sent = values.map((value) => value && Buffer.from(value));
    const rows = await app.database.queryBytes(ECHO, [sent], room);
    expect(rows.map((row) => row && hash('sha256', row))).toEqual(
      values.map((row) => row && hash('sha256', row)),
    );
    // PGlite has its values in memory already.
    if (app.database.kind === 'pglite') return;
    const places = rows.map((row) => (row?.buffer === room.buffer ? row.byteOffset - room.byteOffset : null));
    expect(places).toEqual([0, null, 70_000, null, 270_000]);
  });

  test('reads values of every length, so that message heads are split at every byte', async () => {
    const values = Array.from({ length: 600 }, (_, i) => randomBytes(i * 37));
    const rows = await echo(values);
    expect(rows.length).toBe(values.length);
    rows.forEach((row, i) => {
      expect(Buffer.from(row as Uint8Array).equals(values[i] as Buffer), `row ${i}`).toBe(true);
    });
  });

  test('keeps results apart from other statements and errors on one pool', async () => {
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

test('finds rows when the end of the previous response came in two parts', async () => {
  const message = (type: string, body: Buffer) => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeUInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const ready = message('Z', Buffer.from('I'));
  const failure = message('E', Buffer.from('SERROR\0VERROR\0C22012\0Mdivision\0\0'));
  const field = Buffer.concat([
    Buffer.from([0, 1]),
    Buffer.from('bytes\0'),
    Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 255, 255, 255, 255, 255, 255, 0, 1]),
  ]);
  const row = Buffer.from([0, 1, 0, 0, 0, 3, 97, 98, 99]);
  const answer = [message('1', Buffer.alloc(0)), message('2', Buffer.alloc(0)), message('T', field)]
    .concat(message('D', row), message('C', Buffer.from('SELECT 1\0')), ready)
    .reduce((all, each) => Buffer.concat([all, each]));
  for (const cut of [1, 3, 5]) {
    let started = false;
    const server = createServer((socket) => {
      socket.setNoDelay(true).on('data', (data) => {
        if (!started) socket.write(Buffer.concat([message('R', Buffer.alloc(4)), ready]));
        else if (data[0] === 'Q'.charCodeAt(0)) {
          socket.write(Buffer.concat([failure, ready.subarray(0, cut)]));
          setTimeout(() => socket.write(ready.subarray(cut)), 50);
        } else {
          socket.write(answer.subarray(0, 40));
          setTimeout(() => socket.write(answer.subarray(40)), 20);
        }
        started = true;
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = new BinaryRowsClient({
      host: '127.0.0.1',
      port,
      user: 'a',
      database: 'a',
      password: 'x',
      schema: null,
      settings: {},
    });
    await client.connect();
    await expect(client.query('SELECT 1/0')).rejects.toThrow('division');
    const rows = await client.queryBytes({ text: 'SELECT x', values: [1] });
    expect(rows.map(String)).toEqual(['abc']);
    client.on('error', () => {});
    server.close();
    await client.end().catch(() => {});
  }
});
