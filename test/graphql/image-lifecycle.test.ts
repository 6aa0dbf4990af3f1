import { createHash } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  GenerateImageDocument,
  ImageByIdDocument,
  ImageCountDocument,
  ImagesDocument,
  RestoreImageDocument,
  StoresDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

describe('an image from its generation to its restoration', () => {
  let app: TestApp;
  beforeAll(async () => {
    // Nothing is repaired behind an answer here, so that each step shows what it does itself.
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
  });
  afterAll(() => app.close());

  async function bytesAt(url: string) {
    const response = await app.fetch(new URL(url).pathname);
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  }

  test('generates, lists, serves, survives the loss of a file, and restores it', async () => {
    const input = {
      prompt: 'A beautiful sunset over mountains',
      tool: 'generateUserImage',
      model: 'sample',
      size: '512x384',
      n: 1,
      userId: 'user123',
      username: 'johndoe',
      requestId: 'req-1',
      messageId: '1234567890',
      tags: ['sunset', 'mountains'],
      metadata: { channel: 'general' },
      waitSeconds: 30,
    };
    const { generateImage } = await app.ask(GenerateImageDocument, { input });
    expect(generateImage.userErrors).toEqual([]);
    const image = generateImage.images[0];
    if (!image?.url) throw new Error('no image');
    expect(image).toMatchObject({
      origin: 'GENERATED',
      status: 'SUCCESS',
      error: null,
      userId: 'user123',
      username: 'johndoe',
      tool: 'generateUserImage',
      prompt: input.prompt,
      provider: 'sample',
      model: 'sample',
      size: '512x384',
      n: 1,
      requestId: 'req-1',
      messageId: '1234567890',
      tags: ['sunset', 'mountains'],
      mimeType: 'image/png',
      width: 512,
      height: 384,
      storageProvider: 'filesystem',
      originalUrl: null,
    });
    expect(image.metadata).toMatchObject({ channel: 'general' });
    expect(image.copies.map(({ store, state }) => ({ store, state }))).toEqual([
      { store: 'filesystem', state: 'STORED' },
      { store: 'database', state: 'STORED' },
    ]);

    const bytes = await bytesAt(image.url);
    expect(sha256(bytes)).toBe(image.sha256);
    expect(bytes.length).toBe(image.bytes);

    const { images } = await app.ask(ImagesDocument, {
      filter: { userId: 'user123', tags: ['sunset'] },
      first: 10,
    });
    expect(images.totalCount).toBe(1);
    expect(images.edges[0]?.node).toEqual(image);

    // The file is lost: the address still answers, and the loss is on record.
    const key = image.copies[0]?.key ?? '';
    const file = path.join(app.directory, 'images', key);
    await rm(file);
    expect(sha256(await bytesAt(image.url))).toBe(image.sha256);
    const { stores } = await app.ask(StoresDocument, {});
    expect(stores).toMatchObject([
      { name: 'filesystem', kind: 'filesystem', reachable: true, copies: 0, missing: 1, corrupt: 0 },
      { name: 'database', kind: 'database', reachable: true, copies: 1, bytes: image.bytes, missing: 0 },
    ]);

    const { restoreImage } = await app.ask(RestoreImageDocument, { input: { id: image.id } });
    expect(restoreImage).toMatchObject({
      userErrors: [],
      source: 'database',
      restored: [{ store: 'filesystem', state: 'STORED', bytes: image.bytes, key }],
    });
    expect(sha256(await readFile(file))).toBe(image.sha256);
    const again = await app.ask(RestoreImageDocument, { input: { id: image.id } });
    expect(again.restoreImage).toMatchObject({ userErrors: [], source: null, restored: [] });
  });

  test('makes n images, each with a row of its own', async () => {
    const { generateImage } = await app.ask(GenerateImageDocument, {
      input: { prompt: 'three of a kind', model: 'sample', size: '32x32', n: 3, userId: 'many' },
    });
    expect(generateImage.images.map((image) => image.status)).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
    expect(new Set(generateImage.images.map((image) => image.id)).size).toBe(3);
    const { images } = await app.ask(ImageCountDocument, { filter: { userId: 'many' } });
    expect(images.totalCount).toBe(3);
  });

  test('answers without waiting when it is told to, and the image comes later', async () => {
    const { generateImage } = await app.ask(GenerateImageDocument, {
      input: { prompt: 'later', model: 'sample', size: '512x512', userId: 'later', waitSeconds: 0 },
    });
    const [image] = generateImage.images;
    expect(['PENDING', 'PROCESSING']).toContain(image?.status);
    expect(image).toMatchObject({ url: null, sha256: null, copies: [] });
    await eventually(async () => {
      const { image: now, node } = await app.ask(ImageByIdDocument, { id: image?.id ?? '' });
      expect(now?.status).toBe('SUCCESS');
      expect(node).toMatchObject({ id: image?.id, status: 'SUCCESS' });
    });
  });

  test('keeps an upload untouched, and one blob for the same bytes twice', async () => {
    const picture = await makePicture({ format: 'jpeg', width: 300, height: 200, seed: 77 });
    const first = await upload(
      app,
      { content: picture, name: 'Öster Reise.JPG', type: 'image/jpeg' },
      { userId: 'up', tags: ['portrait'], metadata: { album: 'summer' } },
    );
    expect(first.userErrors).toEqual([]);
    expect(first.image).toMatchObject({
      origin: 'UPLOADED',
      status: 'SUCCESS',
      tool: 'uploadImage',
      prompt: '',
      mimeType: 'image/jpeg',
      bytes: picture.length,
      sha256: sha256(picture),
      width: 300,
      height: 200,
      tags: ['portrait'],
      metadata: { album: 'summer' },
    });
    expect(first.image?.filename).toMatch(/^O-?ster-Reise-[0-9a-f]{12}\.jpg$/);
    expect((await bytesAt(first.image?.url ?? '')).equals(picture)).toBe(true);

    const second = await upload(app, { content: picture }, { userId: 'up' });
    expect(second.image?.id).not.toBe(first.image?.id);
    expect(second.image?.copies.map((copy) => copy.key)).toEqual(first.image?.copies.map((copy) => copy.key));
    expect(
      await app.database.query('SELECT id FROM blobs WHERE sha256 = $1', [sha256(picture)]),
    ).toHaveLength(1);
  });

  test('keeps one blob of the same bytes from many uploads at once', async () => {
    const picture = await makePicture({ seed: 4711 });
    const results = await Promise.all(
      Array.from({ length: 12 }, () => upload(app, { content: picture }, { userId: 'burst' })),
    );
    for (const { image, userErrors } of results) {
      expect(userErrors).toEqual([]);
      expect(image?.sha256).toBe(sha256(picture));
    }
    expect(
      await app.database.query('SELECT id FROM blobs WHERE sha256 = $1', [sha256(picture)]),
    ).toHaveLength(1);
  });

  test('puts a known blob back into a store that has lost it meanwhile', async () => {
    const picture = await makePicture({ seed: 99 });
    const { image } = await upload(app, { content: picture });
    const file = path.join(app.directory, 'images', image?.copies[0]?.key ?? '');
    await rm(file);
    await upload(app, { content: picture });
    expect((await stat(file)).size).toBe(picture.length);
  });
});

describe('restoreImage', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
  });
  afterAll(() => app.close());

  let image: NonNullable<Awaited<ReturnType<typeof upload>>['image']>;
  let file: string;
  let picture: Buffer;
  let seed = 0;
  beforeEach(async () => {
    picture = await makePicture({ seed: 1000 + seed++ });
    const uploaded = await upload(app, { content: picture });
    if (!uploaded.image) throw new Error(JSON.stringify(uploaded.userErrors));
    image = uploaded.image;
    file = path.join(app.directory, 'images', image.copies[0]?.key ?? '');
  });
  const damageDatabase = () =>
    app.database.query(
      `UPDATE stored_chunks SET data = set_byte(data, 10, (get_byte(data, 10) + 1) % 256)
       WHERE object_id = (SELECT id FROM stored_objects WHERE key = $1)`,
      [image.copies[1]?.key],
    );

  test('repairs the database from the file', async () => {
    await damageDatabase();
    const { restoreImage } = await app.ask(RestoreImageDocument, { input: { id: image.id } });
    expect(restoreImage).toMatchObject({
      source: 'filesystem',
      restored: [{ store: 'database', state: 'STORED' }],
      userErrors: [],
    });
    await rm(file);
    const response = await app.fetch(new URL(image.url ?? '').pathname);
    expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(image.sha256);
  });

  test('repairs only the stores that are named', async () => {
    await rm(file);
    const other = await app.ask(RestoreImageDocument, { input: { id: image.id, stores: ['database'] } });
    expect(other.restoreImage).toMatchObject({ restored: [], userErrors: [] });
    const unknown = await app.ask(RestoreImageDocument, { input: { id: image.id, stores: ['tape'] } });
    expect(unknown.restoreImage.userErrors).toMatchObject([
      { code: 'INVALID_INPUT', path: ['input', 'stores'] },
    ]);
    const named = await app.ask(RestoreImageDocument, { input: { id: image.id, stores: ['filesystem'] } });
    expect(named.restoreImage).toMatchObject({ restored: [{ store: 'filesystem' }], userErrors: [] });
  });

  test('says that bytes are lost when no copy is healthy, and writes nothing', async () => {
    await damageDatabase();
    await writeFile(file, 'not the picture');
    const { restoreImage } = await app.ask(RestoreImageDocument, { input: { id: image.id } });
    expect(restoreImage).toMatchObject({
      restored: [],
      source: null,
      userErrors: [{ __typename: 'InputError', code: 'BYTES_LOST' }],
    });
    expect(restoreImage.image?.copies).toMatchObject([{ state: 'CORRUPT' }, { state: 'CORRUPT' }]);
    const response = await app.fetch(new URL(image.url ?? '').pathname);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'BYTES_LOST' } });
  });

  test('tells a bad id and an unknown one', async () => {
    const bad = await app.ask(RestoreImageDocument, { input: { id: 'nonsense' } });
    expect(bad.restoreImage.userErrors).toMatchObject([{ code: 'INVALID_ID', path: ['input', 'id'] }]);
    const unknown = await app.ask(RestoreImageDocument, {
      input: { id: '01a1fd86-32a5-704a-8823-284343d934b2' },
    });
    expect(unknown.restoreImage).toMatchObject({ image: null, userErrors: [{ code: 'NOT_FOUND' }] });
  });
});
