import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runExport } from '../../src/command/export.ts';
import { runImportDirectory } from '../../src/command/import/import-directory.ts';
import type { DirectoryImport } from '../../src/image/import/import-directory.ts';
import type { ImageFilter } from '../../src/image/list/conditions.ts';
import { parseImageFilter } from '../../src/image/list/filter-json.ts';
import { purgeImage } from '../../src/image/trash/purge.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { pngWith, textChunk } from '../provenance/files.ts';
import { upload } from '../upload.ts';
import { FOLDER_TIME, makeMixedFolder } from './folder.ts';

let app: TestApp;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'fixative-folder-'));
  app = await openTestApp();
});
afterEach(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

interface Line {
  type: string;
  [key: string]: unknown;
}

async function bring(options: Partial<DirectoryImport> & { onLine?: (line: Line) => void } = {}) {
  const { onLine, ...given } = options;
  const lines: Line[] = [];
  const code = await runImportDirectory(
    app,
    { directory: folder, json: true, ...given },
    {
      interactive: false,
      note: () => {},
      out: (text) => {
        const line = JSON.parse(text) as Line;
        lines.push(line);
        onLine?.(line);
      },
    },
  );
  const { type: _type, ...summary } = lines.at(-1) as Line;
  return { code, summary, files: lines.slice(0, -1) };
}

async function send(directory: string, filter: ImageFilter = {}, signal?: AbortSignal) {
  let out = '';
  const terminal = {
    interactive: false,
    note: () => {},
    out: (text: string) => {
      out += text;
    },
  };
  const code = await runExport(app, { directory, filter, json: true, signal }, terminal);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return { code, summary: lines.at(-1), images: lines.slice(0, -1) };
}

/** Returns all columns of the images, except those that another database must assign again. */
async function everything() {
  return app.database.query<Record<string, unknown>>(
    `SELECT uuid, user_id, username, tool_name, prompt, revised_prompt, origin, provider, model, size, quality, style, filename, storage_url,
      original_url, mime_type, bytes, sha256, width, height, thumbhash, tags, status, metadata, message_id, request_id, created_at::text
      FROM generated_images ORDER BY created_at, uuid`,
  );
}
const counts = async () =>
  (await app.database.query<{ n: number }>('SELECT count(*) AS n FROM generated_images'))[0]?.n;

test('a mixed folder comes in once, and a second run adds nothing', async () => {
  const { files, pictures, copies, refused } = await makeMixedFolder(folder, 200);
  await writeFile(path.join(folder, '.hidden.png'), await makePicture({ seed: 5000 }));
  const dry = await bring({ dryRun: true });
  expect(await counts()).toBe(0);
  expect(dry.summary).toMatchObject({ dryRun: true, imported: pictures, there: copies, refused });

  const first = await bring({ userId: 'ann', tags: ['old'] });
  expect(first).toMatchObject({
    code: 3,
    summary: { imported: pictures, there: copies, removed: 0, refused, interrupted: false },
  });
  expect(first.files).toHaveLength(files);
  const codes = new Set(first.files.filter((line) => line.outcome === 'refused').map((line) => line.code));
  expect(codes).toEqual(new Set(['DAMAGED_IMAGE', 'UNSUPPORTED_TYPE']));
  expect(await counts()).toBe(pictures);

  const second = await bring({ userId: 'ann' });
  expect(second).toMatchObject({ code: 3, summary: { imported: 0, there: pictures + copies, refused } });
  expect(await counts()).toBe(pictures);

  const [image] = await app.database.query<Record<string, unknown>>(
    `SELECT * FROM generated_images WHERE metadata->'import'->>'path' = 'holiday/sea/10 – picture.png'`,
  );
  expect(image).toMatchObject({
    user_id: 'ann',
    tool_name: 'importDirectory',
    origin: 'imported',
    prompt: 'picture 10',
    model: 'm',
    tags: ['old'],
    created_at: FOLDER_TIME,
    metadata: { import: { path: 'holiday/sea/10 – picture.png', folder: 'holiday/sea' } },
    status: 'success',
  });
  expect(image?.filename).toMatch(/^10-picture-[0-9a-f]{12}\.png$/);
  expect(await app.storage.verify({ deep: true })).toMatchObject({ lost: [] });
});

test('an interrupted run goes on where it was', async () => {
  const { pictures, copies } = await makeMixedFolder(folder, 60);
  const stop = new AbortController();
  let seen = 0;
  const cut = await bring({
    signal: stop.signal,
    onLine: () => {
      if (++seen === 20) stop.abort();
    },
  });
  expect(cut).toMatchObject({ code: 3, summary: { interrupted: true } });
  const kept = cut.summary.imported as number;
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(pictures);
  expect(await counts()).toBe(kept);
  const rest = await bring();
  expect(rest.summary).toMatchObject({ imported: pictures - kept, interrupted: false });
  expect((rest.summary.there as number) - copies).toBe(kept);
  expect(await counts()).toBe(pictures);
});

test('what was removed stays removed, unless it is asked for again', async () => {
  await writeFile(path.join(folder, 'a.png'), await makePicture({ seed: 1 }));
  await writeFile(path.join(folder, 'b.png'), await makePicture({ seed: 2 }));
  await bring();
  await app.database.query(`UPDATE generated_images SET deleted_at = now()`);
  expect((await bring()).summary).toMatchObject({ imported: 0, removed: 2, there: 0 });
  expect((await bring({ userId: 'someone' })).summary).toMatchObject({ imported: 2, removed: 0 });
  expect((await bring({ again: true })).summary).toMatchObject({ imported: 2, removed: 0 });
  expect((await bring({ again: true })).summary).toMatchObject({ imported: 0, there: 2 });
  for (const image of await app.database.prisma.image.findMany()) await purgeImage(app, image);
  expect((await bring()).summary).toMatchObject({ imported: 0, removed: 2 });
  expect((await bring({ again: true })).summary).toMatchObject({ imported: 2, removed: 0 });
});

test('links are not followed, and a folder that is not there is said to be so', async () => {
  const outside = await mkdtemp(path.join(tmpdir(), 'fixative-outside-'));
  await writeFile(path.join(outside, 'secret.png'), await makePicture());
  await symlink(outside, path.join(folder, 'link'));
  await symlink(path.join(outside, 'secret.png'), path.join(folder, 'link.png'));
  await symlink(folder, path.join(folder, 'circle'));
  expect(await bring()).toMatchObject({ code: 0, files: [] });
  await expect(bring({ directory: path.join(folder, 'none') })).rejects.toThrow(/ENOENT/);
  await rm(outside, { recursive: true });
});

test('export, wipe, import: the same images', async () => {
  await makeMixedFolder(folder, 30);
  await bring({ userId: 'ann', tags: ['x', 'y'] });
  const twice = await makePicture({ seed: 777 });
  const input = {
    userId: 'bob',
    username: 'Bob',
    requestId: 'r1',
    messageId: 'm1',
    metadata: { a: [1, null, 'ü'] },
  };
  await upload(app, { content: twice, name: 'one.png' }, { ...input, prompt: 'first', tags: ['t'] });
  await upload(
    app,
    { content: twice, name: 'two.png' },
    { ...input, prompt: 'second', onDuplicate: 'CREATE' },
  );
  await app.database.query(
    `UPDATE generated_images SET revised_prompt = 'better', provider = 'sample', size = '64x64', quality = 'high', style = 'vivid',
      origin = 'generated', original_url = 'https://example.com/x?y=1', created_at = '2020-01-02T03:04:05.123456Z' WHERE prompt = 'first'`,
  );
  // As a tool names what it has made.
  await app.database.query(
    `UPDATE generated_images SET filename = 'image-1763740800000.png', storage_url = '/images/' || uuid || '/image-1763740800000.png' WHERE prompt = 'first'`,
  );
  await app.database.query(
    `INSERT INTO generated_images (user_id, prompt, status) VALUES ('ann', 'failed one', 'failed')`,
  );
  const before = (await everything()).filter((row) => row.status === 'success');

  const out = path.join(folder, '..', `${path.basename(folder)}-export`);
  const sent = await send(out);
  expect(sent).toMatchObject({ code: 0, summary: { exported: before.length, without: 1, unread: 0 } });
  expect((await readdir(out)).length).toBe(2 * before.length);
  expect((await send(out)).summary).toMatchObject({ exported: 0, there: before.length });

  // One that was cut is written again, and so is one whose record changed.
  const [name = ''] = (await readdir(out)).filter((each) => each.endsWith('.png'));
  const bytes = await readFile(path.join(out, name));
  await writeFile(path.join(out, name), bytes.subarray(1));
  expect((await send(out)).summary).toMatchObject({ exported: 1 });
  expect(
    createHash('sha256')
      .update(await readFile(path.join(out, name)))
      .digest('hex'),
  ).toBe(createHash('sha256').update(bytes).digest('hex'));

  await app.close();
  app = await openTestApp();
  expect(await bring({ directory: out })).toMatchObject({ code: 0, summary: { imported: before.length } });
  expect(await everything()).toEqual(before);
  expect(await bring({ directory: out })).toMatchObject({
    code: 0,
    summary: { imported: 0, there: before.length },
  });
  expect((await send(out)).summary).toMatchObject({ unread: 0 });
  await rm(out, { recursive: true });
});

test('only the images of the filter are exported, and lost bytes are told', async () => {
  await upload(app, { content: await makePicture({ seed: 1 }) }, { userId: 'ann' });
  await upload(app, { content: await makePicture({ seed: 2 }) }, { userId: 'bob' });
  const out = path.join(folder, 'out');
  expect((await send(out, { userId: 'ann' })).summary).toMatchObject({ exported: 1 });
  await rm(path.join(app.directory, 'images'), { recursive: true });
  await mkdir(path.join(app.directory, 'images'));
  await app.database.query(`DELETE FROM stored_chunks`);
  await app.database.query(`DELETE FROM stored_objects`);
  const lost = await send(path.join(folder, 'again'));
  expect(lost.code).toBe(3);
  expect(lost.summary).toMatchObject({ exported: 0, unread: 2 });
  expect(await readdir(path.join(folder, 'again'))).toEqual([]);
});

test('a sidecar is checked like any input', async () => {
  const bytes = await makePicture({ seed: 3 });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const right = {
    fixative: 1,
    uuid: '019aa57e-0000-7000-8000-000000000001',
    sha256,
    origin: 'uploaded',
    prompt: 'p',
    userId: 'zoe',
    createdAt: '2020-01-01T00:00:00Z',
  };
  const wrong: [string, unknown, string][] = [
    ['sha', { ...right, sha256: 'a'.repeat(64) }, 'MISMATCH'],
    ['uuid', { ...right, uuid: "'; DROP TABLE x" }, 'INVALID_INPUT'],
    ['nul', { ...right, prompt: 'a\0b' }, 'INVALID_INPUT'],
    ['half', { ...right, metadata: { a: '\ud800' } }, 'INVALID_INPUT'],
    ['user', { ...right, userId: 'u'.repeat(256) }, 'INVALID_INPUT'],
    ['time', { ...right, createdAt: '2020-02-31T99:00:00Z' }, 'INVALID_INPUT'],
    ['year', { ...right, createdAt: '0000-01-01T00:00:00Z' }, 'INVALID_INPUT'],
    ['origin', { ...right, origin: 'stolen' }, 'INVALID_INPUT'],
    ['tags', { ...right, tags: [1] }, 'INVALID_INPUT'],
    ['size', { ...right, size: 's'.repeat(21) }, 'INVALID_INPUT'],
    ['version', { ...right, fixative: 2 }, 'INVALID_INPUT'],
    ['broken', '{"fixative": 1, ', 'INVALID_INPUT'],
  ];
  for (const [name, sidecar] of wrong) {
    await writeFile(path.join(folder, `${name}.png`), bytes);
    await writeFile(
      path.join(folder, `${name}.png.json`),
      typeof sidecar === 'string' ? sidecar : JSON.stringify(sidecar),
    );
  }
  const { files, summary } = await bring();
  expect(summary).toMatchObject({ imported: 0 });
  const codes = Object.fromEntries(files.map((line) => [line.file, line.code]));
  for (const [name, , code] of wrong) expect([name, codes[`${name}.png`]]).toEqual([name, code]);
  expect(await counts()).toBe(0);

  const good = path.join(folder, 'good');
  await mkdir(good);
  await writeFile(path.join(good, 'a.png'), bytes);
  await writeFile(path.join(good, 'a.png.json'), JSON.stringify(right));
  // The JSON file of another program is refused: it is neither one of our sidecars nor a picture.
  const other = await pngWith(textChunk('parameters', 'fox\nSteps: 2'));
  await writeFile(path.join(good, 'b.png'), other);
  await writeFile(path.join(good, 'b.png.json'), '{"seed": 1}');
  expect((await bring({ directory: good })).summary).toMatchObject({ imported: 2, refused: 1 });
  expect(await everything()).toMatchObject([
    { uuid: right.uuid, prompt: 'p', user_id: 'zoe', origin: 'uploaded' },
    { prompt: 'fox', user_id: 'root', origin: 'imported' },
  ]);

  // A uuid that others have is not taken from them.
  const bad = path.join(folder, 'taken');
  await mkdir(bad);
  const more = await makePicture({ seed: 4 });
  await writeFile(path.join(bad, 'c.png'), more);
  const taken = { ...right, prompt: 'q', sha256: createHash('sha256').update(more).digest('hex') };
  await writeFile(path.join(bad, 'c.png.json'), JSON.stringify(taken));
  expect((await bring({ directory: bad })).summary).toMatchObject({ imported: 1 });
  expect((await bring({ directory: bad })).summary).toMatchObject({ imported: 0, there: 1 });
  expect((await everything()).find((row) => row.prompt === 'q')?.uuid).not.toBe(right.uuid);
});

test('a filter in JSON is read as GraphQL reads it, and a field that there is none of is refused', () => {
  expect(
    parseImageFilter('{"userId":"ann","status":["SUCCESS"],"createdAfter":"2026-01-02T00:00:00Z"}'),
  ).toEqual({
    userId: 'ann',
    status: ['success'],
    createdAfter: new Date('2026-01-02T00:00:00Z'),
  });
  for (const wrong of ['{"user":"ann"}', '{"tags":"a"}', '[]', 'null', '{', '{"createdAfter":"soon"}'])
    expect(() => parseImageFilter(wrong)).toThrow(/filter/);
});

test('files that share bytes or a uuid in one run end as the rules say', async () => {
  const bytes = await makePicture({ seed: 1 });
  const uuid = '019aa57e-0000-7000-8000-00000000000a';
  const sidecar = (picture: Buffer, userId: string) =>
    JSON.stringify({
      fixative: 1,
      uuid,
      sha256: createHash('sha256').update(picture).digest('hex'),
      origin: 'uploaded',
      prompt: 'p',
      userId,
      createdAt: '2020-01-01T00:00:00.123456Z',
    });
  const other = await makePicture({ seed: 2 });
  for (const [name, picture, user] of [
    ['a', bytes, 'ann'],
    ['b', bytes, 'ann'],
    ['c', other, 'ann'],
    ['d', bytes, 'bob'],
  ] as const) {
    await writeFile(path.join(folder, `${name}.png`), picture);
    await writeFile(path.join(folder, `${name}.png.json`), sidecar(picture, user));
  }
  expect((await bring()).summary).toMatchObject({ imported: 3, there: 1, refused: 0 });
  expect((await bring()).summary).toMatchObject({ imported: 0, there: 4 });
});
