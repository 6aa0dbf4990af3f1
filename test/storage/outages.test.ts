import { afterAll, beforeAll, expect, test } from 'vitest';
import { runRestore } from '../../src/command/restore.ts';
import { within } from '../crash/client.ts';
import { DeleteImageDocument, PurgeImageDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { openS3Server, type S3Server, s3Settings } from '../s3-server.ts';
import { upload } from '../upload.ts';

let s3: S3Server;
let app: TestApp;
beforeAll(async () => {
  s3 = await openS3Server();
  app = await openTestApp({
    STORES: 'filesystem,s3',
    ...s3Settings(s3),
    S3_TIMEOUT_SECONDS: '2',
    HEAL_DELAY_SECONDS: '0',
  });
});
afterAll(async () => {
  await app.close();
  await s3.close();
});

const COUNT = 8;
const waiting = () =>
  app.database.query<{ attempts: number }>(
    `SELECT attempts FROM copies c JOIN blobs b ON b.id = c.blob_id AND b.condemned_at IS NULL WHERE c.state = 'PENDING'`,
  );
const lines = () => app.logged.filter((line) => /s3/.test(line)).map((line) => JSON.parse(line));

test('an outage of S3 logs one line at its start and one at its end, and its end makes waiting copies due', async () => {
  const purged = await upload(app, { content: await makePicture({ width: 40, height: 40, seed: 93_999 }) });
  await app.storage.settled();
  s3.failNext('500', 100_000);
  for (let i = 0; i < COUNT; i++)
    await upload(app, { content: await makePicture({ width: 40, height: 40, seed: 94_000 + i }) });
  const input = { id: purged.image?.id as string };
  await app.ask(DeleteImageDocument, { input });
  expect((await app.ask(PurgeImageDocument, { input })).purgeImage.userErrors).toEqual([]);
  app.storage.startRepairs();
  // Each copy was tried several times, as in hours of an outage.
  await eventually(async () => {
    await app.database.query(`UPDATE copies SET retry_at = now() WHERE state = 'PENDING'`);
    app.storage.startRepairs();
    await app.storage.settled();
    const copies = await waiting();
    expect(copies).toHaveLength(COUNT);
    for (const { attempts } of copies) expect(attempts).toBeGreaterThan(1);
  });
  expect(lines()).toEqual([
    expect.objectContaining({ store: 's3', msg: expect.stringContaining('is away') }),
  ]);
  expect(JSON.stringify(lines()[0])).not.toContain('stack');
  await app.database.query(`UPDATE copies SET retry_at = now() + interval '6 hours' WHERE state = 'PENDING'`);
  s3.mend();
  // The circuit stays open for up to 30 s; each repair round probes the store.
  await within(60, async () => {
    app.storage.startRepairs();
    await app.storage.settled();
    expect(await waiting()).toEqual([]);
    // Blobs that were purged during the outage are deleted there, too.
    expect(await app.database.query('SELECT 1 FROM blobs WHERE condemned_at IS NOT NULL')).toEqual([]);
  });
  expect(lines().map(({ msg }) => msg)).toEqual([
    expect.stringContaining('is away'),
    expect.stringContaining('is back'),
  ]);
}, 120_000);

test('copies that waited before a restart become due when the store answers', async () => {
  await upload(app, { content: await makePicture({ width: 40, height: 40, seed: 94_100 }) });
  await app.storage.settled();
  await app.database.query(
    `UPDATE copies SET state = 'MISSING', attempts = 9, retry_at = now() + interval '6 hours' WHERE store = 's3'`,
  );
  app.storage.startRepairs();
  await eventually(async () => {
    await app.storage.settled();
    expect(await app.database.query(`SELECT 1 FROM copies WHERE state <> 'STORED'`)).toEqual([]);
  });
}, 60_000);

test('an optional store that is away is named by /ready, which stays 200; `restore --all` exits with 3', async () => {
  const ready = async () => {
    const response = await app.fetch('/ready');
    return { status: response.status, body: await response.json() };
  };
  const stores = { filesystem: true, s3: true };
  const required = ['filesystem'];
  // The probe of an optional store has a short timeout.
  await within(20, async () =>
    expect(await ready()).toMatchObject({
      status: 200,
      body: { status: 'ready', database: true, stores, required },
    }),
  );
  s3.failNext('500', 100_000);
  expect(await ready()).toMatchObject({
    status: 200,
    body: { status: 'ready', database: true, stores: { ...stores, s3: false }, required },
  });
  const printed: string[] = [];
  const code = await runRestore(
    app,
    { ids: [], all: true, dryRun: false, maxMissing: 10, orphanGraceSeconds: 3600, json: false },
    { out: (text) => void printed.push(text), note: () => {}, interactive: false },
  );
  expect([code, printed.join('')]).toEqual([3, expect.stringContaining('Unreachable: s3.')]);
  s3.mend();
});
