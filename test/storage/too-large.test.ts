import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runRestore } from '../../src/command/restore.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import { ask } from '../cases/ask.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const IMAGE = `query ($id: ID!) { image(id: $id) { durability copies { store state error } } }`;
const RESTORE =
  'mutation ($id: ID!, $stores: [String!]) { restoreImage(input: { id: $id, stores: $stores }) { restored { store } userErrors { code message } } }';

describe('a blob that is too large for a store', () => {
  let app: TestApp;
  const large = makeMemoryStore('large');
  const small = makeMemoryStore('small', 50_000);
  beforeAll(async () => {
    app = await openTestApp({}, { stores: async () => [large, small], required: ['large'] });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    Object.assign(small, { maxBytes: 50_000 });
  });

  let seed = 0;
  async function keep(side: number) {
    const { image, userErrors } = await upload(app, {
      content: await makePicture({ seed: 70_000 + seed++, width: side, height: side }),
    });
    if (!image) throw new Error(JSON.stringify(userErrors));
    return image;
  }
  const look = async (id: string) => (await ask(app, IMAGE, { id })).data.image;
  const restoreAll = async () => {
    const lines: string[] = [];
    const code = await runRestore(
      app,
      { ids: [], all: true, dryRun: false, maxMissing: 100, orphanGraceSeconds: 60, json: true },
      { interactive: false, note: () => {}, out: (text) => void lines.push(text) },
    );
    return { code, summary: JSON.parse(lines.at(-1) ?? '{}') };
  };

  test('is durable without that store, and is not tried there', async () => {
    const { id, bytes } = await keep(300);
    expect(bytes).toBeGreaterThan(50_000);
    const wanted = {
      durability: 'DURABLE',
      copies: [
        { store: 'large', state: 'STORED', error: null },
        { store: 'small', state: 'TOO_LARGE', error: null },
      ],
    };
    expect(await look(id)).toEqual(wanted);
    await app.storage.settled();
    expect(await restoreAll()).toMatchObject({ code: 0, summary: { looked: 0, failed: 0 } });
    const verified = await app.storage.verify();
    expect(verified.stores.map(({ store, missing, pending }) => ({ store, missing, pending }))).toEqual([
      { store: 'large', missing: 0, pending: 0 },
      { store: 'small', missing: 0, pending: 0 },
    ]);
    expect(await look(id)).toEqual(wanted);
    expect((await ask(app, '{ stores { name tooLarge pending } }')).data.stores).toEqual([
      { name: 'large', tooLarge: 0, pending: 0 },
      { name: 'small', tooLarge: 1, pending: 0 },
    ]);
    const metrics = await (await app.fetch('/metrics')).text();
    expect(metrics).toContain('fixative_copies{store="small",state="too_large"} 1');
  });

  test('is reported when the store is requested by name', async () => {
    const { id } = await keep(301);
    expect((await ask(app, RESTORE, { id, stores: ['small'] })).data.restoreImage).toMatchObject({
      restored: [],
      userErrors: [{ message: expect.stringContaining('small takes files of up to') }],
    });
    expect((await ask(app, RESTORE, { id })).data.restoreImage).toEqual({ restored: [], userErrors: [] });
  });

  test('is put there after the limit was raised', async () => {
    const { id } = await keep(302);
    const other = await keep(40);
    await eventually(async () => expect((await look(other.id)).durability).toBe('DURABLE'));
    Object.assign(small, { maxBytes: Number.POSITIVE_INFINITY });
    expect((await restoreAll()).summary).toMatchObject({ failed: 0 });
    expect((await look(id)).copies[1]).toMatchObject({ store: 'small', state: 'STORED' });
  });

  test('becomes TOO_LARGE in a restore if it was PENDING', async () => {
    const { id } = await keep(303);
    await app.database.query(
      `UPDATE copies SET state = 'PENDING', retry_at = now(), error = 'not now' WHERE store = 'small' AND state = 'TOO_LARGE'`,
    );
    expect((await look(id)).durability).toBe('DEGRADED');
    await restoreAll();
    expect(await look(id)).toMatchObject({
      durability: 'DURABLE',
      copies: [{}, { state: 'TOO_LARGE', error: null }],
    });
  });

  test('stays in the store if it is there already', async () => {
    Object.assign(small, { maxBytes: Number.POSITIVE_INFINITY });
    const { id } = await keep(304);
    await eventually(async () => expect((await look(id)).copies[1].state).toBe('STORED'));
    Object.assign(small, { maxBytes: 50_000 });
    await restoreAll();
    expect(await look(id)).toMatchObject({ durability: 'DURABLE', copies: [{}, { state: 'STORED' }] });
  });
});

test('an upload that is too large for a required store is refused and leaves nothing', async () => {
  const wide = makeMemoryStore('wide');
  const narrow = makeMemoryStore('narrow', 10_000);
  const app = await openTestApp({}, { stores: async () => [wide, narrow], required: ['wide', 'narrow'] });
  try {
    const { image, userErrors } = await upload(app, {
      content: await makePicture({ width: 300, height: 300 }),
    });
    expect(image).toBeNull();
    expect(userErrors).toMatchObject([
      { __typename: 'TooLargeError', code: 'TOO_LARGE', message: expect.stringContaining('narrow') },
    ]);
    expect(await app.database.query('SELECT FROM blobs')).toEqual([]);
    for (const store of [wide, narrow])
      for await (const object of store.list()) expect(object).toBeUndefined();
  } finally {
    await app.close();
  }
});
