import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, stripIgnoredCharacters, validate } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Folders at the root whose files a document may name in full. */
const ROOTS = ['src', 'test', 'bench', 'prisma', 'docs', 'examples', '.ci'];

const read = (name: string) => readFile(path.join(ROOT, name), 'utf8');

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(path.join(ROOT, folder), { recursive: true });
  return entries
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .filter((name) => !name.includes('node_modules'));
}

/** Text outside of blocks of code. */
const proseOf = (text: string) => text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');

let pages: { name: string; text: string }[];
/** Files and folders that a document may name, by their path from the root. */
let entries: Set<string>;

beforeAll(async () => {
  const documents = (await Promise.all(['docs', 'examples'].map(filesBelow))).flat();
  // The history names files as they were.
  const atRoot = (await readdir(ROOT)).filter((name) => name.endsWith('.md') && name !== 'CHANGELOG.md');
  const names = [...atRoot, ...documents.filter((name) => name.endsWith('.md'))];
  pages = await Promise.all(names.map(async (name) => ({ name, text: await read(name) })));
  const below = (await Promise.all(ROOTS.map(filesBelow))).flat();
  entries = new Set([...(await readdir(ROOT)), ...below]);
});

test('every relative link of a document leads to a file, and to a heading of it', async () => {
  const broken: string[] = [];
  for (const { name, text } of pages)
    for (const [, target = ''] of proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#', 2);
      const found = file === '' ? name : path.posix.join(path.posix.dirname(name), file);
      if (!entries.has(found)) broken.push(`${name}: ${target}`);
      else if (anchor && !anchorsOf(await read(found)).includes(anchor)) broken.push(`${name}: ${target}`);
    }
  expect(broken).toEqual([]);
});

/** Anchors as GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  );
}

async function sourceNames(): Promise<string[]> {
  const isSource = (name: string) => /^(src|bench|test|examples)\/.*\.(ts|json)$/.test(name);
  return [...entries].filter((name) => isSource(name) && !name.includes('generated'));
}

test('every file and folder that a document names is there', () => {
  const suffixes = [...entries];
  const missing: string[] = [];
  for (const { name, text } of pages)
    for (const [, code = ''] of proseOf(text).matchAll(/`([^`\n]+)`/g)) {
      const file = /^[\w.-]+(\/[\w.-]+)*\.(ts|js|c|md|graphql|prisma)$/.test(code);
      const folder = new RegExp(`^(${ROOTS.join('|')})(/[\\w-]+)*/?$`).test(code) && code.includes('/');
      if ((!file && !folder) || /\bNAME\b/.test(code)) continue;
      const wanted = code.replace(/\/$/, '');
      if (!suffixes.some((entry) => entry === wanted || entry.endsWith(`/${wanted}`)))
        missing.push(`${name}: ${code}`);
    }
  expect(missing).toEqual([]);
});

test('every document that the code names is there', async () => {
  const missing: string[] = [];
  for (const name of [...(await sourceNames()), '.env.example', 'codegen.ts'])
    for (const [document = ''] of (await read(name)).matchAll(/\bdocs\/[\w/-]+\.md\b/g))
      if (!entries.has(document)) missing.push(`${name}: ${document}`);
  expect(missing).toEqual([]);
});

test('every setting and code that a document names is known to the code', async () => {
  const texts = await Promise.all(
    ['.env.example', 'schema.graphql', 'codegen.ts', ...(await sourceNames())].map(read),
  );
  const known = new Set(texts.flatMap((text) => text.match(/[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_?/g) ?? []));
  const unknown: string[] = [];
  for (const { name, text } of pages)
    for (const [, code = ''] of text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`\n]*)?`/g))
      if (!known.has(code)) unknown.push(`${name}: ${code}`);
  expect(unknown).toEqual([]);
});

describe('the examples', () => {
  test('are valid, and each request has the document beside it', async () => {
    const schema = buildSchema(await read('schema.graphql'));
    const names = [...entries].filter((name) => /^examples\/.*\.graphql$/.test(name));
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) {
      const document = await read(name);
      expect(validate(schema, parse(document)), name).toEqual([]);
      // The documents of a project stand alone.
      if (/^examples\/.*\//.test(name)) continue;
      const request = JSON.parse(await read(name.replace(/graphql$/, 'json')));
      expect(Object.keys(request).filter((key) => key !== 'variables')).toEqual(['query']);
      expect(stripIgnoredCharacters(request.query), name).toBe(stripIgnoredCharacters(document));
    }
  });
});
