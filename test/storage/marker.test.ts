import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFilesystemStore } from '../../src/storage/stores/filesystem/filesystem.ts';
import { makeDatabase, openTestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { sourceOf } from './store-contract.ts';

const content = Buffer.from('bytes of a picture');
const key = 'aa/bb/picture.png';

/** The record in the database that all servers share. */
function makeIdentity() {
  let recorded: string | null = null;
  return {
    keep: async (id: string) => (recorded ??= id),
    replace: async (id: string) => {
      recorded = id;
    },
  };
}

describe('the directory of a filesystem store', () => {
  let parent: string;
  beforeEach(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'fixative-marker-'));
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  const open = (name: string, identity = makeIdentity(), mayClaim = true) =>
    openFilesystemStore({ name: 'filesystem', directory: path.join(parent, name), mayClaim, identity });

  test('is refused on another machine: no read, no write, and no copy is called missing', async () => {
    const identity = makeIdentity();
    const first = await open('one', identity);
    await first.put(key, sourceOf(content));
    const second = await open('two', identity);
    await writeFile(path.join(parent, 'two', 'mine.png'), content);
    const refusal = 'is not the one that filesystem is in this database';
    await expect(second.put(key, sourceOf(content))).rejects.toThrow(refusal);
    await expect(second.open(key)).rejects.toThrow(refusal);
    await expect(second.stat('mine.png')).rejects.toThrow(refusal);
    await expect(second.delete('mine.png')).rejects.toThrow(refusal);
    await expect(second.list()[Symbol.asyncIterator]().next()).rejects.toThrow(refusal);
    expect((await first.stat(key))?.bytes).toBe(content.length);

    // Two servers that share the directory may both use it, also later.
    await (await open('one', identity, false)).delete(key);
    expect(await first.stat(key)).toBeNull();
  });

  test('replaces the recorded one when an operator claims it', async () => {
    const identity = makeIdentity();
    await open('one', identity);
    const second = await open('two', identity);
    await second.claim();
    await second.put(key, sourceOf(content));
    const first = await open('one', identity);
    await expect(first.stat(key)).rejects.toThrow('claim filesystem');
  });

  test('gets an identity if its marker is of an older version, and keeps it when it is moved', async () => {
    const identity = makeIdentity();
    const marker = path.join(parent, 'one', '.fixative-store');
    await open('one');
    await writeFile(marker, '{"store":"filesystem","claimedAt":"2026-11-21T00:00:00.000Z"}\n');
    const [first, second] = await Promise.all([open('one', identity, false), open('one', identity, false)]);
    await first.put(key, sourceOf(content));
    expect((await second.stat(key))?.bytes).toBe(content.length);
    expect(await readFile(marker, 'utf8')).toContain('2026-11-21T00:00:00.000Z');
  });
});

describe.skipIf(!process.env.TEST_DATABASE_URL)('two machines with one database', () => {
  test('report that they do not share the directory, and change no state of copies', async () => {
    const database = await makeDatabase();
    const settings = { DATABASE_URL: database?.url ?? '', HEAL_DELAY_SECONDS: '3600' };
    const one = await openTestApp(settings);
    const other = await openTestApp({ ...settings, FIXATIVE_ROOT_TOKEN: 'another-root-token-0123456789' });
    try {
      const kept = await upload(one, { content: await makePicture({ seed: 98_000 }) });
      expect(kept.userErrors).toEqual([]);
      const headers = { authorization: 'Bearer another-root-token-0123456789' };
      const response = await other.fetch(new URL(kept.image?.url as string).pathname, { headers });
      expect(response.status).toBe(200);
      await response.arrayBuffer();

      const [health] = await other.storage.health();
      expect(health).toMatchObject({ name: 'filesystem', reachable: false });
      await other.storage.verify();
      const states = await one.database.query<{ state: string }>('SELECT state FROM copies');
      expect(states.map(({ state }) => state)).toEqual(['STORED', 'STORED']);

      const said = other.logged.join('\n');
      expect(said).toContain('SIGNING_KEYS');
      expect(said).toContain('FIXATIVE_ROOT_TOKEN');
      expect(said).toContain('DATA_DIR');
      expect(said).not.toContain('another-root-token');
      expect(one.logged.join('\n')).not.toContain('SIGNING_KEYS');

      // A link that one server prints logs in at another that has the same token.
      const third = await openTestApp(settings);
      const login = await third.fetch(`/login?code=${one.authenticator.loginCode}`, {
        headers: { authorization: '' },
      });
      expect(login.status).toBe(200);
      expect((await third.fetch(`/login?code=${other.authenticator.loginCode}`)).status).toBe(401);
      await third.close();
    } finally {
      await other.close();
      await one.close();
      await database?.drop();
    }
  });
});
