import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

/**
 * Order of imports (docs/architecture.md): a room imports only from earlier ones. Rooms of one row do not
 * import each other.
 */
const ORDER = [
  ['errors', 'json', 'text', 'time'],
  ['config', 'log'],
  ['database'],
  ['storage'],
  ['fetch'],
  ['provider', 'provenance'],
  ['tool'],
  ['image'],
  ['job', 'auth'],
  ['graphql'],
  ['http'],
  ['command'],
  ['app'],
  ['main'],
];
const EMPTY_NAMES = /(^|\/)(utils?|helpers?|common|misc|types|index)(\.ts|\/)/;

async function sources() {
  const names = await readdir(SOURCE, { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts') && !name.includes('generated')).sort();
  return Promise.all(
    files.map(async (name) => ({ name, text: await readFile(path.join(SOURCE, name), 'utf8') })),
  );
}

const roomOf = (name: string) => name.split('/')[0]?.replace(/\.ts$/, '') ?? '';
const placeOf = (room: string) => ORDER.findIndex((rooms) => rooms.includes(room));

test('a room imports from rooms to its left only', async () => {
  const wrong: string[] = [];
  for (const { name, text } of await sources()) {
    const room = roomOf(name);
    expect(placeOf(room), `${name} is in a room that the order does not have`).toBeGreaterThanOrEqual(0);
    for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
      const other = roomOf(path.join(path.dirname(name), specifier));
      if (other !== room && placeOf(other) >= placeOf(room)) wrong.push(`${name} imports ${specifier}`);
      expect(specifier, name).toMatch(/\.ts$/);
    }
  }
  expect(wrong).toEqual([]);
});

test('no file has a name that says nothing', async () => {
  expect((await sources()).filter(({ name }) => EMPTY_NAMES.test(name))).toEqual([]);
});

test('only main touches the process', async () => {
  const files = (await sources()).filter(({ text }) =>
    /\bprocess\.\w/.test(text.replaceAll(/^\s*(\*|\/\/|\/\*).*$/gm, '')),
  );
  expect(new Set(files.map(({ name }) => roomOf(name)))).toEqual(new Set(['main']));
});

test('only app.ts and app/ name the classes that they compose', async () => {
  const makers =
    /\b(openFilesystemStore|makeDatabaseStore|openPostgresql|openS3Store|openGithubStore|makeSampleProvider|openOpenAiProvider|openFetcher)\(/;
  const files = (await sources()).filter(({ text }) =>
    makers.test(text.replaceAll(/export (async )?function .*/g, '')),
  );
  expect(new Set(files.map(({ name }) => roomOf(name)))).toEqual(new Set(['app']));
});
