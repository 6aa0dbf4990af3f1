import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runImportDirectory } from '../../src/command/import/import-directory.ts';
import { runImportUrls } from '../../src/command/import/import-urls.ts';
import { parseAddressList } from '../../src/image/import/import-urls.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';

let app: TestApp;
let folder: string;
beforeAll(async () => {
  app = await openTestApp();
  folder = await mkdtemp(path.join(tmpdir(), 'fixative-lists-'));
});
afterAll(async () => {
  await app.close();
  await rm(folder, { recursive: true, force: true });
});

function makeTerminal() {
  const lines: Record<string, unknown>[] = [];
  const terminal = {
    interactive: false,
    note: () => {},
    out: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>),
  };
  return { lines, terminal };
}

describe('a list as spreadsheets write it', () => {
  const expected = [
    { line: 2, url: 'https://a.test/1,2.png', image: { prompt: 'ein Fuchs; rot', tags: ['a', 'b'] } },
    { line: 3, url: 'https://a.test/2.png', image: { prompt: 'Füchse', tags: [] } },
  ];
  const read = (text: string) => parseAddressList(text, { userId: 'root' });
  const semicolons =
    'url;prompt;tags\r\nhttps://a.test/1,2.png;"ein Fuchs; rot";"a;b"\r\nhttps://a.test/2.png;Füchse;\r\n';

  test('in German, with semicolons and a byte order mark, is read', () => {
    expect(read(`\uFEFF${semicolons}`)).toMatchObject(expected);
    expect(read(semicolons)).toMatchObject(expected);
  });

  test('with tabs, with quoted heads, with lines that end with CR, and with sep= is read', () => {
    const tabs =
      'url\tprompt\ttags\nhttps://a.test/1,2.png\t"ein Fuchs; rot"\ta;b\nhttps://a.test/2.png\tFüchse\t';
    expect(read(tabs)).toMatchObject(expected);
    expect(read(semicolons.replace('url;prompt', '"URL";"Prompt"'))).toMatchObject(expected);
    expect(read(semicolons.replaceAll('\r\n', '\r'))).toMatchObject(expected);
    const lines = expected.map((each) => ({ ...each, line: each.line + 1 }));
    expect(read(`\uFEFFsep=;\r\n${semicolons}`)).toMatchObject(lines);
  });

  test('in UTF-16 is read, and in another encoding refused by a name', async () => {
    const file = path.join(folder, 'list.csv');
    const run = async (bytes: Buffer) => {
      await writeFile(file, bytes);
      const { lines, terminal } = makeTerminal();
      const options = { file, user: 'root', concurrency: 1, dryRun: true, json: true };
      await runImportUrls(app.services, options, terminal);
      return lines;
    };
    const wide = await run(Buffer.from(`\uFEFF${semicolons.replaceAll(';', '\t')}`, 'utf16le'));
    expect(wide.filter(({ type }) => type === 'planned')).toHaveLength(2);
    await expect(run(Buffer.from(semicolons, 'latin1'))).rejects.toThrow(/is not UTF-8\. Save it as UTF-8/);
  });
});

test('a folder with file names that are not UTF-8 is imported', async () => {
  const root = path.join(folder, 'pictures');
  await mkdir(root);
  const place = (...bytes: Buffer[]) => Buffer.concat([Buffer.from(`${root}/`), ...bytes]);
  const cp1252 = (text: string) => Buffer.from(text, 'latin1');
  await mkdir(place(cp1252('B\xe4ren')));
  await writeFile(place(cp1252('f\xfcchse.png')), await makePicture({ seed: 72_001 }));
  await writeFile(place(cp1252('B\xe4ren/gro\xdf.png')), await makePicture({ seed: 72_002 }));
  await writeFile(place(Buffer.from('größe.png')), await makePicture({ seed: 72_003 }));
  await writeFile(place(cp1252('kein\xfc.png')), 'no picture');

  const { lines, terminal } = makeTerminal();
  const code = await runImportDirectory(app, { directory: root, json: true }, terminal);
  expect(code).toBe(3);
  expect(
    lines
      .filter(({ type }) => type === 'file')
      .map(({ file, outcome }) => `${file} ${outcome}`)
      .sort(),
  ).toEqual(['Bären/groß.png imported', 'füchse.png imported', 'größe.png imported', 'keinü.png refused']);
  const rows = await app.database.query<{ name: string }>(
    'SELECT original_filename AS name FROM generated_images WHERE tool_name = \'importDirectory\' ORDER BY original_filename COLLATE "C"',
  );
  expect(rows.map(({ name }) => name)).toEqual(['füchse.png', 'groß.png', 'größe.png']);
});
