import { PGlite } from '@electric-sql/pglite';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runExport } from '../../src/command/export.ts';
import { makeImportReport } from '../../src/command/import/import-report.ts';
import { openForeignTable } from '../../src/image/import/foreign-table.ts';
import { importTable } from '../../src/image/import/import-table.ts';
import { parseImageFilter } from '../../src/image/list/filter-json.ts';
import { listen } from '../fetch/fetching.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { ask } from './ask.ts';

const SECRET = 'a secret that two servers share, and nobody else';
let app: TestApp;
let seed = 74_000;
beforeAll(async () => {
  app = await openTestApp({
    AUTH_JWT_SECRET: SECRET,
    AUTH_JWT_ISSUER: 'https://login.test/',
    AUTH_JWT_AUDIENCE: 'fixative',
    ALLOW_PRIVATE_SOURCES: '127.0.0.1',
  });
});
afterAll(() => app.close());

async function keep(name: string, input: Record<string, unknown> = {}) {
  const { image, userErrors } = await upload(
    app,
    { content: await makePicture({ seed: seed++ }), name },
    input,
  );
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  const query = 'query ($id: ID!) { image(id: $id) { id uuid userId filename originalFilename url sha256 } }';
  return (await ask(app, query, { id: image.id })).data.image;
}
const disposition = async ({ url }: { url: string }, query = '') =>
  (await app.fetch(new URL(url).pathname + query)).headers.get('content-disposition');

describe('the name of a file', () => {
  test.each([
    ['Müller Übersicht.png', 'Muller-Ubersicht'],
    ['Ærøskøbing – Straße №1.png', 'AEroskobing-Strasse-No1'],
    ['Łódź.png', 'Lodz'],
    ['你好.png', 'image'],
    ['Привет fox.png', 'fox'],
    ['v1.5', 'v1.5'],
    ['model v1.5.2.png', 'model-v1.5.2'],
    ['archive.tar.png', 'archive.tar'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ann\\Bild.PNG', 'Bild'],
    ['🦊.png', 'image'],
  ])('%s is offered in ASCII and kept as it was, in both normal forms', async (name, stem) => {
    for (const form of ['NFC', 'NFD'] as const) {
      const image = await keep(name.normalize(form));
      expect(image.filename).toBe(`${stem}-${image.uuid.slice(-12)}.png`);
      const base = name.replace(/^.*[/\\]/, '');
      expect(image.originalFilename).toBe(base.normalize('NFC'));
      const ending = /\.(png|PNG)$/.test(base) ? base.replace(/\.PNG$/, '.png') : `${base}.png`;
      expect(await disposition(image)).toBe(
        `inline; filename="${image.filename}"; filename*=UTF-8''${encodeURIComponent(ending.normalize('NFC'))}`,
      );
    }
  });

  test('has the ending of a variant where one is offered', async () => {
    const image = await keep('Müller.png');
    expect(await disposition(image, '?format=webp')).toMatch(
      /filename="Muller-\w+\.webp"; filename\*=UTF-8''M%C3%BCller\.webp$/,
    );
  });

  test('holds nothing that turns text around or breaks a header', async () => {
    const image = await keep('a.png', { filename: 'a\u202egnp\u0007"; x=y\r\nSet-Cookie: a.png' });
    expect(image.originalFilename).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(await disposition(image)).toMatch(/^inline; filename="[\w.-]+"; filename\*=UTF-8''[\w.%~!-]+$/);
  });

  test('is found by its words, in any case, and no pattern is one', async () => {
    const image = await keep('Sommer Übersicht 2026_100%.png');
    const find = async (filename: string) => {
      const query = 'query ($f: String) { images(filter: { filename: $f }) { nodes { id } } }';
      const { data, errors } = await ask(app, query, { f: filename });
      if (errors) throw new Error(JSON.stringify(errors));
      return data.images.nodes.some(({ id }: { id: string }) => id === image.id);
    };
    for (const words of ['übersicht', 'ÜBERSICHT sommer', '2026', 'Übersicht'.normalize('NFD')])
      expect(await find(words), words).toBe(true);
    for (const words of ['winter', 'übersicht winter']) expect(await find(words), words).toBe(false);
    expect(parseImageFilter('{"filename":"übersicht"}')).toEqual({ filename: 'übersicht' });
  });
});

describe('the hash of a file', () => {
  test('is found in capitals, and what is none is refused', async () => {
    const image = await keep('hash.png');
    const query = 'query ($h: String) { images(filter: { sha256: $h }) { nodes { id } totalCount } }';
    const found = await ask(app, query, { h: image.sha256.toUpperCase() });
    expect(found.errors).toBeUndefined();
    expect(found.data).toEqual({ images: { nodes: [{ id: image.id }], totalCount: 1 } });
    const filter = parseImageFilter(JSON.stringify({ sha256: image.sha256.toUpperCase() }));
    const said: string[] = [];
    const terminal = { interactive: false, note: () => {}, out: (text: string) => void said.push(text) };
    const directory = `${app.directory}/export`;
    expect(await runExport(app, { directory, filter, json: true }, terminal)).toBe(0);
    expect(said.join()).toContain(image.uuid);
    for (const wrong of ['abc', `${image.sha256}0`, image.sha256.replace(/^./, 'g'), '']) {
      const { errors } = await ask(app, query, { h: wrong });
      expect(errors?.[0]?.extensions?.code, wrong).toBe('INVALID_INPUT');
      const refused = { directory, filter: { sha256: wrong }, json: true };
      await expect(runExport(app, refused, terminal), wrong).rejects.toThrow(/SHA-256/);
    }
  });
});

describe.each([
  ['a UUID', '9b2f6d0e-6c1e-4d53-9d0b-0f1f0b8e2a11'],
  ['255 characters', `auth0|${'u'.repeat(249)}`],
  ['255 characters of four bytes', '🦊'.repeat(127)],
])('a user named by %s', (_name, userId) => {
  const WHO = 'query ($u: String!) { images(filter: { userId: $u }) { nodes { userId } } }';

  test('is taken as an input, and found', async () => {
    const image = await keep('mine.png', { userId });
    expect(image.userId).toBe(userId);
    expect((await ask(app, WHO, { u: userId })).data.images.nodes[0]).toEqual({ userId });
  });

  test('is taken in a token and in a JWT, and adds images of its own', async () => {
    const create = `mutation ($u: String!) { createToken(input: { name: "t", userId: $u, scopes: [IMAGES_READ, IMAGES_WRITE] }) {
      token userErrors { message } } }`;
    const { token } = (await ask(app, create, { u: userId })).data.createToken;
    const jwt = await new SignJWT({ scope: 'images:read images:write' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('https://login.test/')
      .setAudience('fixative')
      .setSubject(userId)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(SECRET));
    for (const credentials of [token, jwt]) {
      const target = `mutation { createUploadTarget(input: { bytes: 100, mimeType: "image/png", filename: "a.png" }) {
        target { id } userErrors { message } } }`;
      const { data, errors } = await ask(app, target, {}, credentials);
      expect(errors).toBeUndefined();
      expect(data.createUploadTarget.userErrors).toEqual([]);
      expect(
        (await ask(app, '{ images { nodes { userId } } }', {}, credentials)).data.images.nodes,
      ).toContainEqual({ userId });
    }
  });

  test('is taken from the table of another system, and removed and purged like any', async () => {
    const source = await listen(async (_request, response) => {
      response.end(await makePicture({ seed: 74_900 + userId.length }));
    });
    const pglite = await PGlite.create();
    const foreign = {
      query: async <Row>(text: string, values: readonly unknown[] = []) =>
        (await pglite.query<Row>(text, [...values])).rows,
    };
    await foreign.query('CREATE TABLE old (id INT PRIMARY KEY, user_id TEXT, prompt TEXT, storage_url TEXT)');
    await foreign.query('INSERT INTO old VALUES (1, $1, $2, $3)', [
      ...[userId, 'from a table', `http://127.0.0.1:${source.port}/${userId.length}.png`],
    ]);
    const table = await openForeignTable(foreign, { table: 'old', idColumn: 'id', urlColumn: null, map: {} });
    const terminal = { out: () => {}, note: () => {}, interactive: false };
    const report = makeImportReport(terminal, { json: true, dryRun: false });
    const options = {
      baseUrl: null,
      concurrency: 1,
      dryRun: false,
      retryFailed: false,
      source: `old:${userId.length}`,
      user: 'root',
    };
    await importTable({ ...app.services, table }, { ...report, ...options, writeBack: null });
    expect(report.finish()).toBe(0);
    await pglite.close();
    await source.close();
    const find =
      'query ($u: String!) { images(filter: { userId: $u, search: "table" }) { nodes { id prompt } } }';
    const [image] = (await ask(app, find, { u: userId })).data.images.nodes;
    expect(image?.prompt).toBe('from a table');
    const remove = 'mutation ($id: ID!) { deleteImage(input: { id: $id }) { userErrors { message } } }';
    expect((await ask(app, remove, { id: image.id })).data.deleteImage.userErrors).toEqual([]);
  });
});

test('old SQL, which knows users of 32 characters and no original names, works on', async () => {
  const [row] = await app.database.query<{ id: string }>(
    `INSERT INTO generated_images (user_id, tool_name, prompt, storage_url, status) VALUES ($1::varchar(32), 'old', 'by SQL', '', 'processing')
     RETURNING id`,
    ['old-user'],
  );
  const { data } = await ask(
    app,
    '{ images(filter: { userId: "old-user" }) { nodes { databaseId userId originalFilename } } }',
  );
  expect(data.images.nodes).toEqual([{ databaseId: row?.id, userId: 'old-user', originalFilename: null }]);
});
