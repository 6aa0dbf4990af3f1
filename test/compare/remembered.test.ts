import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ImageBytes, type ImageBytesFinder, makeImageBytesFinder } from '../../src/image/bytes.ts';
import { makeDatabase, openTestApp, ROOT_TOKEN, type TestApp, type TestDatabase } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { type Chance, COMPARE_SECONDS, COMPARE_SEED, makeChance } from './chance.ts';

/**
 * Compares the cached images of servers with the database, while readers request images and writers change
 * them: by every operation, on the same server and on another, and by SQL as other services do.
 */
const WRITERS = 3;
const IMAGES_EACH = 3;
const READERS = 4;
/** Time until a server has been notified of a change of another one. */
const HEARD_MS = 5000;

let database: TestDatabase | null;
/**
 * Number of servers: one on PGlite, which has one process; two on PostgreSQL, with one database and one
 * directory.
 */
let apps: TestApp[];
let fresh: ImageBytesFinder;
beforeAll(async () => {
  database = await makeDatabase();
  const settings = { RATE_LIMIT_PER_CALLER: 'off', HEAL_DELAY_SECONDS: '3600' };
  const shared = database ? { DATABASE_URL: database.url } : {};
  const first = await openTestApp({ ...settings, ...shared });
  apps = [first];
  if (database) apps.push(await openTestApp({ ...settings, ...shared, DATA_DIR: first.directory }));
  fresh = makeImageBytesFinder(first.database, { entries: 0, log: pino({ level: 'silent' }) });
});
afterAll(async () => {
  await fresh.close();
  for (const app of apps.toReversed()) await app.close();
  await database?.drop();
});

interface Kept {
  readonly uuid: string;
  readonly id: string;
  readonly content: Buffer;
  /** All file names that the image has had. */
  readonly names: string[];
}

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly disposition: string | null;
}

const counts = { writes: 0, reads: 0, found: 0, compared: 0, heard: 0 };
const one = (chance: Chance) => chance.oneOf(apps);

async function keep(seed: number, of: Chance): Promise<Kept> {
  const content = await makePicture({ width: 40, height: 30, seed });
  const { image } = await upload(one(of), { content, name: `p${seed}.png` }, { userId: `u${seed}` });
  if (!image?.filename) throw new Error('It was not kept.');
  return {
    id: image.id,
    uuid: Buffer.from(image.id, 'base64').toString().replace('Image:', ''),
    content,
    names: [image.filename],
  };
}

/** Requests without a token. */
async function read(app: TestApp, address: string): Promise<Answer & { sha256: string }> {
  const response = await fetch(app.url + address);
  const body = Buffer.from(await response.arrayBuffer());
  counts.reads++;
  if (response.status === 200) counts.found++;
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    disposition: response.headers.get('content-disposition'),
    sha256: createHash('sha256').update(body).digest('hex'),
  };
}

/** Returns the right response to a request without a token, by the current row. */
function answerFor(image: ImageBytes | null): Partial<Answer> {
  if (image?.visibility !== 'public') return { status: 404 };
  return {
    status: 200,
    etag: `"${image.blob.sha256}"`,
    disposition: expect.stringContaining(image.filename) as never,
  };
}

async function compare(app: TestApp, image: Kept, by: 'uuid' | 'filename', about: string): Promise<void> {
  const row = await fresh.find({ uuid: image.uuid });
  if (row && !image.names.includes(row.filename)) image.names.push(row.filename);
  for (const name of by === 'uuid' ? [null] : image.names) {
    const found = name === null ? row : await fresh.find({ filename: name });
    const answer = await read(app, name === null ? `/images/${image.uuid}` : `/generated/${name}`);
    expect(answer, `${about}, ${name}`).toMatchObject(answerFor(found));
    if (answer.status === 200) expect(`"${answer.sha256}"`, about).toBe(answer.etag);
  }
  counts.compared++;
}

async function mutate(app: TestApp, field: string, input: object): Promise<void> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${field}(input: $input) { userErrors { code } } }`;
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_TOKEN}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { errors } = (await response.json()) as { errors?: unknown };
  expect(errors).toBeUndefined();
}

const IS_PRIVATE = `UPDATE generated_images SET visibility = $2 WHERE uuid = $1::uuid`;
const IS_DELETED = `UPDATE generated_images SET deleted_at = CASE WHEN $2::boolean THEN now() END WHERE uuid = $1::uuid`;
const HAS_NAME = `UPDATE generated_images SET filename = $2 WHERE uuid = $1::uuid`;
const HAS_BYTES_OF = `UPDATE generated_images SET blob_id = (SELECT blob_id FROM generated_images WHERE uuid = $2::uuid) WHERE uuid = $1::uuid`;
const COPY_IS = `UPDATE copies SET state = $2 WHERE store = 'filesystem' AND blob_id = (SELECT blob_id FROM generated_images WHERE uuid = $1::uuid)`;

/** Returns the server that made the change; null when it was made by SQL. */
async function write(chance: Chance, image: Kept, others: readonly Kept[]): Promise<TestApp | null> {
  const app = one(chance);
  const bySql = async (sql: string, value: unknown) => {
    await apps[0]?.database.query(sql, [image.uuid, value]);
    return null;
  };
  counts.writes++;
  switch (chance.below(9)) {
    case 0:
      await mutate(app, 'updateImage', { id: image.id, visibility: chance.oneOf(['PUBLIC', 'PRIVATE']) });
      return app;
    case 1:
      await mutate(app, 'deleteImage', { id: image.id });
      return app;
    case 2:
      await mutate(app, 'undeleteImage', { id: image.id });
      return app;
    case 3: {
      const filename = `n${chance.below(1000)}.png`;
      await mutate(app, 'updateImage', { id: image.id, filename });
      return app;
    }
    case 4:
      return bySql(IS_PRIVATE, chance.oneOf(['public', 'private']));
    case 5:
      return bySql(IS_DELETED, chance.of(0.3));
    case 6: {
      const name = `s${image.uuid.slice(-6)}-${chance.below(3)}.png`;
      image.names.push(...(image.names.includes(name) ? [] : [name]));
      return bySql(HAS_NAME, name);
    }
    case 7:
      return bySql(HAS_BYTES_OF, chance.oneOf(others).uuid);
    default:
      return bySql(COPY_IS, chance.oneOf(['STORED', 'MISSING', 'CORRUPT']));
  }
}

/** Changes only images of this writer, so that nothing else happens between a change and its check. */
async function writeOn(chance: Chance, images: readonly Kept[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const image = chance.oneOf(images);
    const at = counts.writes;
    const writer = await write(chance, image, images);
    const by = chance.oneOf(['uuid', 'filename'] as const);
    const about = `COMPARE_SEED=${COMPARE_SEED}, write ${at} by ${writer ? 'a verb' : 'SQL'}`;
    if (writer) await compare(writer, image, by, about);
    for (const app of apps) {
      if (app === writer) continue;
      const deadline = performance.now() + HEARD_MS;
      for (;;) {
        const fault = await compare(app, image, by, about).then(
          () => null,
          (error: unknown) => error,
        );
        if (fault === null) break;
        if (performance.now() > deadline) throw fault;
        counts.heard++;
        await sleep(2);
      }
    }
  }
}

async function readOn(chance: Chance, images: readonly Kept[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { uuid, names } = chance.oneOf(images);
    const address = chance.of(0.5) ? `/images/${uuid}` : `/generated/${chance.oneOf(names)}`;
    const answer = await read(one(chance), address);
    expect([200, 404]).toContain(answer.status);
    if (answer.status === 200) expect(`"${answer.sha256}"`, address).toBe(answer.etag);
  }
}

test('what is remembered of images is what a fresh look finds, while writers change them', {
  timeout: (COMPARE_SECONDS + 60) * 1000,
}, async () => {
  const chance = makeChance(COMPARE_SEED);
  const images: Kept[] = [];
  for (let i = 0; i < WRITERS * IMAGES_EACH; i++) images.push(await keep(8000 + i, chance));
  const deadline = performance.now() + COMPARE_SECONDS * 1000;
  let failed = false;
  const isOver = () => failed || performance.now() > deadline;
  const writers = Array.from({ length: WRITERS }, (_, i) =>
    writeOn(makeChance(COMPARE_SEED + i), images.slice(i * IMAGES_EACH, (i + 1) * IMAGES_EACH), isOver),
  );
  const readers = Array.from({ length: READERS }, (_, i) =>
    readOn(makeChance(COMPARE_SEED + 100 + i), images, isOver),
  );
  for (const each of [...writers, ...readers])
    each.catch(() => {
      failed = true;
    });
  const ended = await Promise.allSettled([...writers, ...readers]);
  process.stdout.write(`remembered: ${JSON.stringify(counts)}, seed ${COMPARE_SEED}\n`);
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
  expect(counts.compared).toBeGreaterThan(10);
  expect(counts.found).toBeGreaterThan(10);
});
