import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyOf } from '../../src/storage/blob.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { DeleteImageDocument, PurgeImageDocument, RestoreImageDocument } from '../generated/graphql.ts';
import { makeDatabase, openTestApp, type TestApp, type TestDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { sourceOf } from '../storage/store-contract.ts';
import { upload } from '../upload.ts';

const sha256 = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

/**
 * Two servers on one PostgreSQL and the same two stores. The first server works under the lock of a blob.
 * Before and after each of its calls to a store, the connection that holds the lock is terminated. The other
 * server then takes the same bytes, reads and restores them. Only then does the first server go on.
 */
describe.skipIf(!process.env.TEST_DATABASE_URL)('a lock that PostgreSQL takes away', () => {
  const places = [makeMemoryStore('first'), makeMemoryStore('second')];
  let database: TestDatabase;
  let [one, other] = [] as unknown as [TestApp, TestApp];
  /** Called before and after each call of the first server to a store. */
  let atCall: () => Promise<void> = async () => {};
  const isWatched = (store: Store): Store => {
    const around = async <Result>(call: () => Promise<Result>): Promise<Result> => {
      await atCall();
      const result = await call();
      await atCall();
      return result;
    };
    return {
      ...store,
      put: (key, source) => around(() => store.put(key, source)),
      open: (key, range) => around(() => store.open(key, range)),
      stat: (key) => around(() => store.stat(key)),
      delete: (key) => around(() => store.delete(key)),
    };
  };
  beforeAll(async () => {
    database = (await makeDatabase()) as TestDatabase;
    const settings = { DATABASE_URL: database.url, HEAL_DELAY_SECONDS: '3600' };
    const required = ['first'];
    one = await openTestApp(settings, { stores: async () => places.map(isWatched), required });
    other = await openTestApp(settings, { stores: async () => places, required });
  });
  afterAll(async () => {
    await one.close();
    await other.close();
    await database.drop();
  });

  const TERMINATE = `SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  let seed = 96_000;

  async function purge(app: TestApp, id: string) {
    await app.ask(DeleteImageDocument, { input: { id } });
    return app.send(PurgeImageDocument, { input: { id } });
  }
  async function keep(app: TestApp, content: Uint8Array) {
    const { image, userErrors } = await upload(app, { content }, { onDuplicate: 'CREATE' });
    expect(userErrors).toEqual([]);
    await app.storage.settled();
    return image as NonNullable<typeof image>;
  }
  async function expectWhole(app: TestApp, image: { url?: string | null; sha256?: string | null }) {
    const response = await app.fetch(new URL(image.url as string).pathname);
    expect(response.status).toBe(200);
    expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(image.sha256);
    const copies = await app.database.query<{ store: string; key: string; state: string }>(
      'SELECT c.store, c.key, c.state FROM copies c JOIN blobs b ON b.id = c.blob_id WHERE b.sha256 = $1',
      [image.sha256],
    );
    expect(copies.find(({ store }) => store === 'first')?.state).toBe('STORED');
    for (const { store, key } of copies.filter(({ state }) => state === 'STORED'))
      expect(await places.find(({ name }) => name === store)?.stat(key), `${key} in ${store}`).not.toBeNull();
  }

  const works: Record<string, (content: Uint8Array) => Promise<() => Promise<unknown>>> = {
    'a purge': async (content) => {
      const image = await keep(other, content);
      return () => purge(one, image.id);
    },
    'a quarantine': async (content) => {
      await places[0]?.put(keyOf(sha256(content), 'image/png'), sourceOf(Buffer.from(content)));
      return () => one.storage.quarantine('first', { graceSeconds: 0, maxMissingPercent: 100 });
    },
    'a restoration': async (content) => {
      const image = await keep(other, content);
      await places[0]?.delete(keyOf(sha256(content), 'image/png'));
      return () => one.send(RestoreImageDocument, { input: { id: image.id } });
    },
    'an upload': async (content) => () => upload(one, { content }, { onDuplicate: 'CREATE' }),
    'a removal that is gone on with': async (content) => {
      const image = await keep(other, content);
      await other.database.query('UPDATE generated_images SET blob_id = NULL WHERE sha256 = $1', [
        image.sha256,
      ]);
      await other.database.query('UPDATE blobs SET condemned_at = now() WHERE sha256 = $1', [image.sha256]);
      return () => one.storage.removeCondemned();
    },
  };

  for (const [name, prepare] of Object.entries(works)) {
    test(`in the middle of ${name} costs no image that another server acknowledges meanwhile`, {
      timeout: 120_000,
    }, async () => {
      let cuts = 0;
      for (let at = 1; ; at++) {
        const content = await makePicture({ width: 40, height: 40, seed: seed++ });
        const work = await prepare(content);
        let calls = 0;
        let kept: Awaited<ReturnType<typeof keep>> | null = null;
        atCall = async () => {
          if (++calls !== at) return;
          const cut = await other.database.query(TERMINATE);
          if (cut.length === 0) return;
          cuts++;
          kept = await keep(other, content);
          await expectWhole(other, kept);
          await other.ask(RestoreImageDocument, { input: { id: kept.id } });
        };
        await work().catch(() => {});
        atCall = async () => {};
        await one.storage.settled();
        if (kept) {
          await expectWhole(other, kept);
          await expectWhole(one, kept);
        }
        if (calls < at) break;
      }
      expect(cuts).toBeGreaterThan(1);
      // Nothing stays locked or open: the same server does the same work after it.
      await keep(one, await makePicture({ width: 40, height: 40, seed: seed++ }));
    });
  }
});
