import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  AttemptsDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  ImagesDocument,
  ImageUpdatedDocument,
  RegenerateImageDocument,
} from '../generated/graphql.ts';
import { follow } from '../generation/follow.ts';
import { type Gate, openGate } from '../generation/gate.ts';
import { makeDatabase } from '../harness.ts';
import { askServer, CRASH_TOKEN, within } from './client.ts';
import { type ServerProcess, startServer } from './server.ts';

const onPostgresql = Boolean(process.env.TEST_DATABASE_URL);

describe('a server that is killed while it generates', { timeout: 120_000 }, () => {
  let directory: string;
  let gate: Gate;
  let database: Awaited<ReturnType<typeof makeDatabase>>;
  let environment: Record<string, string>;
  const servers: ServerProcess[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-crash-'));
    gate = await openGate();
    database = await makeDatabase();
    environment = {
      DATA_DIR: directory,
      FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
      LOG_LEVEL: 'error',
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
      ...(database ? { DATABASE_URL: database.url } : {}),
    };
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.kill();
    await gate.close();
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (args?: string[], more: Record<string, string> = {}) => {
    const server = await startServer({ ...environment, ...more }, args);
    servers.push(server);
    return server;
  };
  const generate = async (server: ServerProcess, input: Partial<GenerateImageInput>) =>
    (await askServer(server, GenerateImageDocument, { input: { prompt: 'a fox', waitSeconds: 0, ...input } }))
      .generateImage.images;
  const look = async (server: ServerProcess, id: string) => {
    const { image } = await askServer(server, AttemptsDocument, { id });
    if (!image) throw new Error('There is no such image.');
    return image;
  };

  test('between the response of the provider and the store continues with the response, and pays once', async () => {
    const first = await start();
    const root = path.join(directory, 'images');
    await rename(root, `${root}-away`);
    const [image] = await generate(first, {});
    const id = image?.id as string;
    await within(20, async () =>
      expect((await look(first, id)).attempts).toMatchObject([{ code: 'STORE_UNAVAILABLE' }]),
    );
    await first.kill();
    await rename(`${root}-away`, root);
    const second = await start();
    await within(60, async () => expect(await look(second, id)).toMatchObject({ status: 'SUCCESS' }));
    expect(gate.calls).toHaveLength(1);
    await within(5, async () => expect(await answersIn(directory)).toEqual([]));
  });

  test('in the middle of n = 4 requests each image once: two are stored, two are known to be lost', async () => {
    const first = await start();
    gate.shut(2);
    const images = await generate(first, { n: 4 });
    await within(30, async () => {
      const { images: list } = await askServer(first, ImagesDocument, { filter: { status: ['SUCCESS'] } });
      expect([list.totalCount, gate.waiting()]).toEqual([2, 2]);
    });
    await first.kill();
    gate.open();
    const second = await start();
    const ends = await within(60, async () => {
      const now = await Promise.all(images.map(({ id }) => look(second, id)));
      expect(now.every(({ status }) => status === 'SUCCESS' || status === 'FAILED')).toBe(true);
      return now;
    });
    expect(gate.calls).toHaveLength(4);
    const lost = ends.filter(({ status }) => status === 'FAILED');
    expect(lost).toMatchObject([
      { error: { code: 'INTERRUPTED', retryable: true } },
      { error: { code: 'INTERRUPTED', retryable: true } },
    ]);
    const { regenerateImage } = await askServer(second, RegenerateImageDocument, {
      input: { id: lost[0]?.id as string },
    });
    expect(regenerateImage.image).toMatchObject({ status: 'SUCCESS' });
    expect(gate.calls).toHaveLength(5);
  });

  test.runIf(onPostgresql)(
    'is missed by one of another machine in less than a minute, and one that lives is not',
    async () => {
      const stores = { STORES: 'database' };
      const other = await start(['serve'], { ...stores, DATA_DIR: path.join(directory, 'other') });
      const watching = await start(['serve', '--no-workers'], {
        ...stores,
        DATA_DIR: path.join(directory, 'watching'),
      });
      gate.shut();
      const [lost] = await generate(other, {});
      await within(20, async () => expect(gate.waiting()).toBe(1));
      // With one place, so that it cannot take up what it is at already.
      const first = await start(['serve'], { ...stores, GENERATIONS_PER_PROVIDER: '1' });
      await other.kill();
      await within(60, async () =>
        expect(await look(watching, lost?.id as string)).toMatchObject({ error: { code: 'INTERRUPTED' } }),
      );
      expect(gate.calls).toHaveLength(1);

      // The queue is told that the one who is asking is gone, while it lives.
      gate.shut();
      const [asked] = await generate(first, {});
      await within(20, async () => expect(gate.waiting()).toBe(1));
      await start(['serve'], { ...stores, DATA_DIR: path.join(directory, 'second') });
      const client = new pg.Client({ connectionString: database?.url });
      await client.connect();
      await within(90, async () => {
        await client.query(
          `UPDATE pgboss.job SET heartbeat_on = now() - interval '1 hour' WHERE state = 'active' AND retry_count = 0`,
        );
        const { rows } = await client.query(
          `SELECT count(*)::int AS looks FROM pgboss.job WHERE retry_count > 0 AND state = 'completed'`,
        );
        expect(rows).toEqual([{ looks: 2 }]);
      });
      await client.end();
      expect(await look(watching, asked?.id as string)).toMatchObject({ status: 'PROCESSING' });
      gate.open();
      await within(30, async () =>
        expect(await look(watching, asked?.id as string)).toMatchObject({ status: 'SUCCESS' }),
      );
      expect(gate.calls).toHaveLength(2);
    },
    240_000,
  );

  test('before the rest of n = 4 was requested requests the rest', async () => {
    const first = await start(['serve'], { GENERATIONS_PER_USER: '1' });
    gate.shut();
    const images = await generate(first, { n: 4 });
    await within(20, async () => expect(gate.waiting()).toBe(1));
    await first.kill();
    gate.open();
    const second = await start();
    const statuses = await within(60, async () => {
      const now = await Promise.all(images.map(({ id }) => look(second, id)));
      expect(now.every(({ status }) => status === 'SUCCESS' || status === 'FAILED')).toBe(true);
      return now.map(({ status }) => status);
    });
    expect(statuses.filter((status) => status === 'SUCCESS')).toHaveLength(3);
    expect(gate.calls).toHaveLength(4);
  });

  test.runIf(onPostgresql)('while the database is away keeps the response, and pays once', async () => {
    const line = await openLine(database?.url as string);
    try {
      const first = await start(['serve'], { DATABASE_URL: line.url });
      gate.shut();
      const [image] = await generate(first, {});
      await within(20, async () => expect(gate.waiting()).toBe(1));
      line.cut();
      gate.open();
      await within(20, async () => expect(await answersIn(directory)).toHaveLength(1));
      await first.kill();
      line.mend();
      const second = await start();
      await within(60, async () =>
        expect(await look(second, image?.id as string)).toMatchObject({ status: 'SUCCESS' }),
      );
      expect(gate.calls).toHaveLength(1);
    } finally {
      await line.close();
    }
  });

  test.runIf(onPostgresql)(
    'a database that comes back finds the same process waiting with the answer',
    async () => {
      const line = await openLine(database?.url as string);
      try {
        const server = await start(['serve'], { DATABASE_URL: line.url });
        gate.shut();
        const [image] = await generate(server, {});
        await within(20, async () => expect(gate.waiting()).toBe(1));
        line.cut();
        gate.open();
        await new Promise((resolve) => setTimeout(resolve, 3000));
        line.mend();
        await within(60, async () =>
          expect(await look(server, image?.id as string)).toMatchObject({ status: 'SUCCESS' }),
        );
        expect(gate.calls).toHaveLength(1);
      } finally {
        await line.close();
      }
    },
  );

  test.runIf(onPostgresql)(
    '200 generations on two workers, one of which is killed: none lost, none doubled',
    async () => {
      const server = await start(['serve', '--no-workers']);
      const workers = [await start(['work']), await start(['work'])];
      const asked = await Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          generate(server, { prompt: `number ${i}`, userId: `user-${i % 20}` }),
        ),
      );
      await within(60, async () => expect(gate.calls.length).toBeGreaterThan(60));
      // Until then none waits for its answer, and so none can be lost but those that are asked for in this
      // moment.
      await workers[0]?.kill();
      await within(100, async () => {
        const { images } = await askServer(server, ImagesDocument, {
          filter: { status: ['PENDING', 'PROCESSING'] },
        });
        expect(images.totalCount).toBe(0);
      });
      const ends = await Promise.all(asked.map(([image]) => look(server, image?.id as string)));
      const failed = ends.filter(({ status }) => status !== 'SUCCESS');
      expect(failed.every(({ error }) => error?.code === 'INTERRUPTED')).toBe(true);
      expect(failed.length).toBeLessThanOrEqual(4);
      // None was asked for twice; and each once, but those of which a killed worker had noted that it asks
      // and had not yet.
      expect(new Set(gate.calls).size).toBe(gate.calls.length);
      const notCalled = ends.filter((_, i) => !gate.calls.includes(`number ${i}`));
      expect(notCalled.filter(({ status }) => status === 'SUCCESS')).toEqual([]);
      expect(gate.calls.length).toBe(200 - notCalled.length);
      const { images } = await askServer(server, ImagesDocument, { filter: {} });
      expect(images.totalCount).toBe(200);
    },
  );

  test.runIf(onPostgresql)(
    'what a killed worker was asking for is found by another of the same directory in seconds',
    async () => {
      const server = await start(['serve', '--no-workers']);
      const worker = await start(['work']);
      gate.shut();
      const [image] = await generate(server, {});
      await within(30, async () => expect(gate.calls).toHaveLength(1));
      // It looks for the dead when it starts; this one dies later.
      await start(['work']);
      await worker.kill();
      await within(30, async () => {
        const { error } = await look(server, image?.id as string);
        expect(error?.code).toBe('INTERRUPTED');
      });
      gate.open();
      expect(gate.calls).toHaveLength(1);
    },
  );

  test.runIf(onPostgresql)(
    'a subscription at one server sees what a worker in another process does',
    async () => {
      const server = await start(['serve', '--no-workers']);
      gate.shut();
      const [image] = await generate(server, {});
      const seen: string[] = [];
      for await (const { imageUpdated } of follow(
        server,
        ImageUpdatedDocument,
        { id: image?.id as string },
        CRASH_TOKEN,
      )) {
        if (seen.at(-1) !== imageUpdated.status) seen.push(imageUpdated.status);
        if (imageUpdated.status === 'PENDING') await start(['work']);
        if (imageUpdated.status === 'PROCESSING') gate.open();
        if (imageUpdated.status === 'SUCCESS') break;
      }
      expect(seen).toEqual(['PENDING', 'PROCESSING', 'SUCCESS']);
    },
  );
});

const answersIn = async (directory: string) =>
  (await readdir(path.join(directory, 'answers'))).filter(
    (name) => !name.startsWith('.') && !name.endsWith('.part'),
  );

/** A line to the database that can be cut: what goes through it is cut off, and nothing new comes through. */
async function openLine(databaseUrl: string) {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) return near.destroy();
    const far = connect(Number(target.port || 5432), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          near.destroy();
          far.destroy();
        });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as { port: number }).port);
  const cut = () => {
    whole = false;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    url: url.href,
    cut,
    mend: () => {
      whole = true;
    },
    close: () =>
      new Promise<void>((resolve) => {
        cut();
        server.close(() => resolve());
      }),
  };
}
