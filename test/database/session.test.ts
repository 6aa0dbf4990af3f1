import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { SessionClient, sessionConfig } from '../../src/database/driver/session.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { ask } from '../cases/ask.ts';
import { makeDatabase, openTestApp, type TestApp, type TestDatabase } from '../harness.ts';
import { isInstalled } from '../nginx.ts';
import { startPgBouncer } from '../pgbouncer.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

/** Settings of an operator, each of which changes what a statement means or how a value is written. */
const HOSTILE = {
  TimeZone: 'Asia/Kolkata',
  DateStyle: 'German',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  array_nulls: 'off',
  standard_conforming_strings: 'off',
};

async function run(url: string, ...statements: string[]): Promise<pg.QueryResult[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const results: pg.QueryResult[] = [];
  try {
    for (const statement of statements) results.push(await client.query(statement));
  } finally {
    await client.end();
  }
  return results;
}

describe.skipIf(!process.env.TEST_DATABASE_URL)('a session on PostgreSQL', () => {
  const ending: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  async function database(): Promise<TestDatabase> {
    const made = (await makeDatabase()) as TestDatabase;
    ending.push(() => made.drop());
    return made;
  }

  async function openAt(url: string): Promise<TestApp> {
    const app = await openTestApp({ DATABASE_URL: url });
    ending.push(() => app.close());
    return app;
  }

  /** Uploads, generates, lists and counts; the times are those of now. */
  async function works(app: TestApp): Promise<void> {
    const before = Date.now();
    const { image } = await upload(
      app,
      { content: await makePicture({ seed: 65_000 }) },
      { tags: ['a', 'ä"'] },
    );
    const generated = await ask(
      app,
      'mutation { generateImage(input: { prompt: "a fox" }) { images { status } userErrors { message } } }',
    );
    expect(generated.data.generateImage).toEqual({ images: [{ status: 'SUCCESS' }], userErrors: [] });
    for (let time = 0; time < 8; time++) {
      const { data } = await ask(
        app,
        `{ images(first: 2) { totalCount nodes { id tags createdAt updatedAt attempts { startedAt endedAt }
          copies { state verifiedAt } } } }`,
      );
      expect(data.images.totalCount).toBe(2);
      const [made, kept] = data.images.nodes;
      expect(kept).toMatchObject({ id: image?.id, tags: ['a', 'ä"'] });
      const times = [made, kept].flatMap((each) => [
        ...[
          each.createdAt,
          each.updatedAt,
          ...each.copies.map((copy: { verifiedAt: string }) => copy.verifiedAt),
        ],
        ...each.attempts.flatMap((attempt: { startedAt: string; endedAt: string }) => Object.values(attempt)),
      ]);
      for (const text of times) {
        expect(Date.parse(text), text).toBeGreaterThan(before - 5000);
        expect(Date.parse(text), text).toBeLessThan(Date.now() + 5000);
      }
    }
    const row = await app.database.prisma.image.findFirstOrThrow({ orderBy: { id: 'asc' } });
    expect(Math.abs(row.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    const response = await app.fetch(new URL(image?.url ?? '').pathname);
    expect((await response.arrayBuffer()).byteLength).toBe(image?.bytes);
  }

  test('has our settings, whatever the database, the role and the address set', async () => {
    const { url } = await database();
    const name = new URL(url).pathname.slice(1);
    await run(
      url,
      ...Object.entries(HOSTILE).map(
        ([setting, value]) => `ALTER DATABASE ${name} SET ${setting} TO '${value}'`,
      ),
    );
    const address = new URL(url);
    address.searchParams.set('options', '-c statement_timeout=60000 -c TimeZone=America/Caracas');
    const app = await openAt(address.href);
    await works(app);
    // Settings in the operator's address hold, except those that the service needs itself.
    const [row] = await app.database.query<{ timeout: string; zone: string }>(
      `SELECT current_setting('statement_timeout') AS timeout, current_setting('TimeZone') AS zone`,
    );
    expect(row).toEqual({ timeout: '1min', zone: 'UTC' });
  });

  test.each([
    ['off', 'on'],
    ['on', 'on'],
    ['remote_apply', 'remote_apply'],
  ])('commits durably where the database sets synchronous_commit to %s', async (set, used) => {
    const { url } = await database();
    await run(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit TO ${set}`);
    const app = await openAt(url);
    const [row] = await app.database.query(`SELECT current_setting('synchronous_commit') AS used`);
    expect(row).toEqual({ used });
  });

  test('has its tables in the schema that the address names, and its queue beside it', async () => {
    const { url } = await database();
    const first = await openAt(`${url}?schema=gallery`);
    const second = await openAt(`${url}?schema=archive_2`);
    await works(first);
    await works(second);
    const [result] = await run(
      url,
      `SELECT table_schema AS name, count(*)::int AS tables FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1 ORDER BY 1`,
    );
    const schemas = result?.rows.map(({ name }) => name);
    expect(schemas).toEqual(['archive_2', 'archive_2_pgboss', 'gallery', 'gallery_pgboss']);
  });

  test('that breaks before its settings are applied fails only its own caller', async () => {
    const { url } = await database();
    const target = new URL(url);
    const { port, hostname } = target;
    const proxy = createServer((client) => {
      const server = connect(Number(port), hostname);
      for (const socket of [client, server]) socket.on('error', () => {});
      server.pipe(client);
      client.on('data', (data) => {
        if (!data.includes('set_config')) return void server.write(data);
        client.destroy();
        server.destroy();
      });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    ending.push(async () => proxy.close());
    target.port = String((proxy.address() as AddressInfo).port);
    target.hostname = '127.0.0.1';
    const pool = new pg.Pool({
      ...sessionConfig(target.href),
      max: 2,
      Client: SessionClient as never,
    });
    pool.on('error', () => {});
    for (let time = 0; time < 3; time++)
      await expect(pool.query('SELECT 1')).rejects.toThrow(/terminated|ECONNRESET/);
    await pool.end();
  });

  test('is rejected for an invalid schema name', async () => {
    const { url } = await database();
    const opened = openPostgresql({ url: `${url}?schema=Gallery`, poolSize: 2, onError: () => {} });
    await expect(opened).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('schema'),
    });
  });

  describe.runIf(isInstalled('pgbouncer'))('behind PgBouncer', () => {
    test('works through a pooler in session mode', async () => {
      const { url } = await database();
      const pooler = await startPgBouncer(url, 'session');
      ending.push(() => pooler.stop());
      const app = await openTestApp({ DATABASE_URL: pooler.url });
      ending.push(() => app.close());
      await works(app);
    });

    test('is rejected through a pooler in transaction mode, with what to do', async () => {
      const { url } = await database();
      const pooler = await startPgBouncer(url, 'transaction');
      ending.push(() => pooler.stop());
      for (let time = 0; time < 5; time++) {
        const opened = openPostgresql({ url: pooler.url, poolSize: 4, onError: () => {} });
        await expect(opened).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: expect.stringContaining('pool_mode = session'),
        });
      }
    });
  });
});
