import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../src/errors.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

/** Two required stores; the second can fail. */
describe('an object whose upload fails after its put', () => {
  let app: TestApp;
  let away: boolean;
  let stores: readonly [Store, Store];
  beforeEach(async () => {
    away = false;
    const second = makeMemoryStore('second');
    stores = [
      makeMemoryStore('first'),
      {
        ...second,
        async put(key, source) {
          if (away) throw new StoreError('second is away.', 'second');
          return second.put(key, source);
        },
      },
    ];
    app = await openTestApp({}, { stores: async () => [...stores], required: ['first', 'second'] });
  });
  afterEach(() => app.close());

  const objects = async () => {
    const keys: string[] = [];
    for (const store of stores) for await (const { key } of store.list()) keys.push(`${store.name} ${key}`);
    return keys;
  };

  test('is deleted when another required store refuses the upload', async () => {
    away = true;
    for (let i = 0; i < 5; i++) {
      const refused = await upload(app, { content: await makePicture({ seed: 97_000 + i }) });
      expect(refused).toMatchObject({ image: null, userErrors: [{ code: 'STORE_UNAVAILABLE' }] });
    }
    expect(await objects()).toEqual([]);
    expect(await app.database.query('SELECT key FROM retired_keys')).toEqual([]);

    away = false;
    const { image } = await upload(app, { content: await makePicture({ seed: 97_000 }) });
    expect(image?.copies).toMatchObject([{ state: 'STORED' }, { state: 'STORED' }]);
  });

  test('stays if it is on record already, even if it was put again', async () => {
    const content = await makePicture({ seed: 97_010 });
    const { image } = await upload(app, { content });
    const [key = ''] = (image?.copies ?? []).map((copy) => copy.key);
    for (const store of stores) await store.delete(key);
    away = true;
    const refused = await upload(app, { content }, { onDuplicate: 'CREATE' });
    expect(refused).toMatchObject({ image: null, userErrors: [{ code: 'STORE_UNAVAILABLE' }] });
    expect(await objects()).toEqual([`first ${key}`]);
    expect((await app.fetch(new URL(image?.url as string).pathname)).status).toBe(200);
  });

  test('is deleted when the transaction of its record fails', async () => {
    const spool = await app.storage.spooler.receive(
      Readable.from([await makePicture({ seed: 97_020 })], { objectMode: false }),
    );
    const refusal = new Error('refused');
    const put = app.storage.put(spool, async () => {
      throw refusal;
    });
    await expect(put).rejects.toBe(refusal);
    await spool.discard();
    expect(await objects()).toEqual([]);
  });
});
