import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { type Fault, openS3Server, type S3Server, s3Settings } from '../s3-server.ts';
import { upload } from '../upload.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
/** Far below the timeout of S3. */
const SOON_MS = 10_000;

describe('a faulty S3 store, first in read order', () => {
  let s3: S3Server;
  let app: TestApp;
  let seed = 91_000;
  const images: Record<'small' | 'large', { at: string; content: Buffer; sha256: string }> = {} as never;

  beforeAll(async () => {
    s3 = await openS3Server();
    app = await openTestApp({
      STORES: 's3,database,filesystem',
      ...s3Settings(s3),
      S3_TIMEOUT_SECONDS: '60',
      BYTES_CACHE_BYTES: 'off',
      HEAL_DELAY_SECONDS: '3600',
    });
    for (const [name, side] of [
      ['small', 60],
      ['large', 900],
    ] as const) {
      const content = await makePicture({ width: side, height: side, seed: seed++ });
      const { image } = await upload(app, { content });
      images[name] = { at: new URL(image?.url ?? '').pathname, content, sha256: sha256(content) };
    }
    expect(images.large.content.length).toBeGreaterThan(1024 * 1024);
    app.storage.startRepairs();
    await eventually(async () => {
      await app.database.query(`UPDATE copies SET retry_at = now() WHERE state = 'PENDING'`);
      expect(await app.database.query(`SELECT 1 FROM copies WHERE state = 'STORED'`)).toHaveLength(6);
    });
  });
  afterAll(async () => {
    await app.close();
    await s3.close();
  });

  /** Reads during faults. @returns the time it took. */
  async function read(name: 'small' | 'large', fault: Fault | null, range?: string) {
    if (fault) s3.failNext(fault, 1, 'GET');
    const before = s3.requests.length;
    const from = performance.now();
    const response = await app.fetch(images[name].at, range ? { headers: { range } } : {});
    const body = Buffer.from(await response.arrayBuffer());
    expect(
      s3.requests.slice(before).some(({ method }) => method === 'GET'),
      'S3 was asked first',
    ).toBe(true);
    return { status: response.status, body, ms: performance.now() - from };
  }

  test.each([
    ['small', 'hang'],
    ['small', 'cut'],
    ['small', 'stall'],
    ['large', 'hang'],
    ['large', 'cut'],
    ['large', 'stall'],
    ['large', null],
  ] as const)('costs a reader of a %s image at most a second or two: %s', async (name, fault) => {
    const { status, body, ms } = await read(name, fault);
    expect([status, sha256(body)]).toEqual([200, images[name].sha256]);
    expect(ms).toBeLessThan(SOON_MS);
  });

  test.each(['hang', 'cut', 'stall'] as const)('loses no byte of a range: %s', async (fault) => {
    const { content } = images.large;
    const { status, body, ms } = await read('large', fault, `bytes=1000-${content.length - 500}`);
    expect([status, body.equals(content.subarray(1000, content.length - 499))]).toEqual([206, true]);
    expect(ms).toBeLessThan(SOON_MS);
  });

  test('never continues with wrong bytes', async () => {
    await app.database.query(
      `UPDATE stored_chunks SET data = set_byte(data, 9, get_byte(data, 9) # 1) WHERE position = 1 OR position = 3`,
    );
    const { status, body } = await read('large', 'cut');
    expect([status, sha256(body)]).toEqual([200, images.large.sha256]);
    expect(
      await app.database.query(`SELECT store FROM copies WHERE state = 'CORRUPT'`),
      'the copy that was met bad is on record',
    ).toEqual([{ store: 'database' }]);
  });

  test('ends in an error instead of a short image if no other store has it', async () => {
    await app.database.query(`UPDATE copies SET state = 'MISSING' WHERE store <> 's3'`);
    await app.database.query('DELETE FROM stored_objects');
    for (const file of await app.files('images')) await rm(path.join(app.directory, 'images', file));
    await expect(read('large', 'cut')).rejects.toThrow();
  });
});
