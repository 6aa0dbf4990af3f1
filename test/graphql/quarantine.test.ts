import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keyOf } from '../../src/storage/blob.ts';
import { QuarantineDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { sourceOf } from '../storage/store-contract.ts';

const DAY_MS = 86_400_000;

let app: TestApp;
beforeEach(async () => {
  app = await openTestApp({ QUARANTINE_DAYS: '7' });
});
afterEach(() => app.close());

const list = async (first?: number) =>
  (await app.ask(QuarantineDocument, first === undefined ? {} : { first })).quarantine;

/** Moves an orphan of a store into quarantine, as `restore --all` does. */
async function quarantine(storeName: string, seed: number): Promise<{ key: string; bytes: number }> {
  const source = sourceOf(await makePicture({ seed }));
  const key = keyOf(source.sha256, 'image/png');
  const store = app.storage.stores.find(({ name }) => name === storeName);
  await store?.put(key, source);
  await app.storage.quarantine(storeName, { graceSeconds: 0 });
  return { key, bytes: source.bytes };
}

test('lists what was moved there, newest first, with the time until which it is kept', async () => {
  expect(await list()).toEqual([]);
  const begun = Date.now();
  const older = await quarantine('filesystem', 61_000);
  const newer = await quarantine('database', 61_001);
  const found = await list();
  expect(found).toMatchObject([
    { store: 'database', key: newer.key, bytes: newer.bytes },
    { store: 'filesystem', key: older.key, bytes: older.bytes, sha256: /[0-9a-f]{64}/.exec(older.key)?.[0] },
  ]);
  const [first] = found;
  expect(Date.parse(first?.quarantinedAt ?? '')).toBeGreaterThanOrEqual(begun);
  const day = Date.parse((first?.quarantinedAt ?? '').slice(0, 10));
  expect(Date.parse(first?.deletedAfter ?? '')).toBe(day + 8 * DAY_MS);
  expect(await list(1)).toEqual([first]);
  expect(await list(0)).toEqual([]);
});

test('deletedAfter is the time from which the next run deletes', async () => {
  const root = path.join(app.directory, 'quarantine');
  const day = (ago: number) => new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10);
  const put = async (name: string, lines: string[]) => {
    await mkdir(path.join(root, name, 'filesystem'), { recursive: true });
    await writeFile(path.join(root, name, 'filesystem', 'x.png'), 'x');
    await writeFile(path.join(root, name, 'manifest.ndjson'), `${lines.join('\n')}\n`);
  };
  const lineOf = (name: string, file = `${name}/filesystem/x.png`) =>
    JSON.stringify({
      store: 'filesystem',
      key: 'x.png',
      bytes: 1,
      sha256: 'x',
      quarantinedAt: `${name}T10:00:00Z`,
      file,
    });
  // A line that a crash has cut, a file that is gone, and one that was moved there twice.
  await put(day(7), [lineOf(day(7)), lineOf(day(7), 'gone.png'), lineOf(day(7)), '{"store":"files']);
  await put(day(8), [lineOf(day(8))]);
  const found = await list();
  expect(found.map(({ deletedAfter }) => Date.parse(deletedAfter) > Date.now())).toEqual([true, false]);
  await app.storage.quarantine('filesystem', { graceSeconds: 0 });
  expect(await list()).toEqual(found.slice(0, 1));
  await rm(root, { recursive: true });
  expect(await list()).toEqual([]);
});

test('refuses more files than it reads at once', async () => {
  for (const first of [-1, 1001]) {
    const { errors } = await app.send(QuarantineDocument, { first });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT' });
  }
});
