/** Reads from a streaming replica of a real PostgreSQL server. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startReplica } from '../cluster/replica.ts';
import { DeleteImageDocument, ImageStatsDocument, ImagesDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture, makeRandom } from '../pictures.ts';
import { type Postgresql, startPostgresql } from '../postgresql.ts';
import { upload } from '../upload.ts';

describe.runIf(process.env.TEST_DATABASE_URL)('a replica', () => {
  let primary: Postgresql;
  let replica: Postgresql | undefined;
  let directory: string;
  let app: TestApp;
  let other: TestApp;
  /** Statements that the primary and the replica were sent by the first server. */
  const sent = { primary: 0, replica: 0 };

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-replica-'));
    // The user postgres passes through it.
    await chmod(directory, 0o755);
    primary = await startPostgresql({ durable: true });
    replica = await startReplica(primary.url, path.join(directory, 'replica'));
    const settings = {
      DATABASE_URL: primary.url,
      DATABASE_REPLICA_URL: replica.url,
      STORES: 'database',
      RATE_LIMIT_PER_MINUTE: '0',
    };
    app = await openTestApp(settings);
    other = await openTestApp(settings);
    const { reads } = app.services;
    (app.services as { reads: typeof reads }).reads = async () => {
      const database = await reads();
      sent[database === app.database ? 'primary' : 'replica']++;
      return database;
    };
  }, 120_000);
  afterAll(async () => {
    await app?.close();
    await other?.close();
    await replica?.stop();
    await primary?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** Runs a statement at the replica, by a connection of its own. */
  async function atReplica(sql: string): Promise<void> {
    const client = new pg.Client(replica?.url ?? '');
    await client.connect();
    await client.query(sql).finally(() => client.end());
  }
  const counts = () => ({ ...sent });
  const list = async (server: TestApp) =>
    (await server.ask(ImagesDocument, { first: 100 })).images.nodes.map(({ id }) => id);

  test('answers lists, counts and statistics, with what was written at any server', async () => {
    const random = makeRandom(7);
    const expected: string[] = [];
    await eventually(async () => {
      const before = counts();
      await list(app);
      expect(counts().replica).toBeGreaterThan(before.replica);
    });
    const before = counts();
    for (let round = 0; round < 40; round++) {
      const writer = random() < 0.5 ? app : other;
      if (expected.length > 3 && random() < 0.3) {
        const [id = ''] = expected.splice(Math.floor(random() * expected.length), 1);
        await writer.ask(DeleteImageDocument, { input: { id } });
      } else {
        const content = await makePicture({ seed: 660_000 + round, width: 8, height: 8 });
        expected.unshift((await upload(writer, { content })).image?.id ?? '');
      }
      expect(await list(app)).toEqual(expected);
      const { imageStats } = await app.ask(ImageStatsDocument, {});
      expect(imageStats.total).toBe(expected.length);
    }
    expect(counts().replica - before.replica).toBeGreaterThan(40);
  }, 120_000);

  test('is left out while it is behind', async () => {
    await atReplica('SELECT pg_wal_replay_pause()');
    const { image } = await upload(other, {
      content: await makePicture({ seed: 661_000, width: 8, height: 8 }),
    });
    const before = counts();
    expect((await list(app))[0]).toBe(image?.id);
    expect(counts()).toEqual({ ...before, primary: before.primary + 1 });
    await atReplica('SELECT pg_wal_replay_resume()');
    await eventually(async () => {
      const last = counts().replica;
      expect((await list(app))[0]).toBe(image?.id);
      expect(counts().replica).toBe(last + 1);
    });
  });

  test('that goes away while reads run costs no answer', async () => {
    let isOn = true;
    const answers: number[] = [];
    const reading = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isOn) answers.push((await list(app)).length);
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    await replica?.stop();
    replica = undefined;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    isOn = false;
    await reading;
    expect(new Set(answers).size).toBe(1);
    expect(app.logged.join()).toContain('the replica of DATABASE_REPLICA_URL cannot be');
    const before = counts();
    expect((await list(app)).length).toBe(answers[0]);
    expect(counts().primary).toBe(before.primary + 1);
  }, 60_000);
});

test('needs the primary beside it', async () => {
  const { parseConfig } = await import('../../src/config.ts');
  expect(() => parseConfig({ DATABASE_REPLICA_URL: 'postgresql://r/x' }, '/srv')).toThrow(
    'DATABASE_URL, the primary',
  );
});
