import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  boxGraph,
  circlesOf,
  codeLines,
  fileGraph,
  folderSizes,
  MAX_FILE_LINES,
  readSourceTree,
} from './house/source-tree.ts';
import { lintWords } from './house/words.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ALL = await readSourceTree(path.join(ROOT, 'src'));
/** Files of the server. */
const SOURCES = ALL.filter(({ name }) => !name.startsWith('web/'));
/** Files of the gallery, which runs in browsers. */
const WEB = await readSourceTree(path.join(ROOT, 'src/web'));

/**
 * Order of imports (docs/architecture.md): a room imports only from earlier ones. Rooms of one row do not
 * import each other.
 */
const ORDER = [
  ['errors', 'json', 'text', 'time', 'tracing'],
  ['config', 'log', 'metrics'],
  ['observers'],
  ['database'],
  ['audit'],
  ['storage'],
  ['fetch'],
  ['provider', 'provenance'],
  ['tool'],
  ['image'],
  ['webhook'],
  ['job', 'auth'],
  ['graphql'],
  ['http'],
  ['command'],
  ['app'],
  ['main'],
];
const EMPTY_NAMES = /(^|\/)(utils?|helpers?|common|misc|types|index)(\.ts|\/)/;

const roomOf = (name: string) => name.split('/')[0]?.replace(/\.ts$/, '') ?? '';
const placeOf = (room: string) => ORDER.findIndex((rooms) => rooms.includes(room));

test('a room imports from rooms to its left only', () => {
  const wrong: string[] = [];
  for (const { name, imports } of SOURCES) {
    const room = roomOf(name);
    expect(placeOf(room), `${name} is in a room that the order does not have`).toBeGreaterThanOrEqual(0);
    for (const imported of imports) {
      const other = roomOf(imported);
      if (other !== room && placeOf(other) >= placeOf(room)) wrong.push(`${name} imports ${imported}`);
      expect(imported, name).toMatch(/\.ts$/);
    }
  }
  expect(wrong).toEqual([]);
});

test('every file is reached from main.ts or from the program of a child process', () => {
  const imports = fileGraph(SOURCES);
  const reached = new Set(['main.ts', 'tool/chart-child.ts']);
  for (const name of reached) for (const imported of imports.get(name) ?? []) reached.add(imported);
  // A file of mutations that schema.ts does not import would be missing in the schema without an error.
  expect(SOURCES.map(({ name }) => name).filter((name) => !reached.has(name))).toEqual([]);
});

/**
 * Order of imports in the gallery: a folder or file imports only from earlier ones. Those of one row may not
 * import each other.
 */
const WEB_ORDER = [
  ['text', 'state'],
  ['robust-image'],
  ['design'],
  ['client'],
  ['grid'],
  ['gallery'],
  ['image', 'make', 'upload', 'overview', 'stores', 'tokens', 'audit', 'retention', 'webhooks', 'trash'],
  ['shell'],
  ['app.tsx'],
  ['main.tsx'],
];

test('a folder of the gallery imports from folders to its left only, and nothing of the server', () => {
  const place = (name: string) => WEB_ORDER.findIndex((row) => row.includes(name.split('/')[0] ?? ''));
  const wrong: string[] = [];
  for (const { name, imports } of WEB.filter(({ name }) => name !== 'vite.config.ts')) {
    expect(place(name), `${name} is in a folder that the order does not have`).toBeGreaterThanOrEqual(0);
    for (const imported of imports.filter(
      (other) => /\.tsx?$/.test(other) && !other.startsWith('generated/'),
    )) {
      const isSameFolder = imported.split('/')[0] === name.split('/')[0];
      if (imported.startsWith('..') || (!isSameFolder && place(imported) >= place(name)))
        wrong.push(`${name} imports ${imported}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('every file of the gallery is reached from what is built', () => {
  const imports = fileGraph(WEB);
  const reached = new Set(WEB_ENTRIES);
  for (const name of reached) for (const imported of imports.get(name) ?? []) reached.add(imported);
  expect(WEB.map(({ name }) => name).filter((name) => !reached.has(name))).toEqual([]);
});

/** Files that the build begins with, and its configuration. */
const WEB_ENTRIES = [
  'main.tsx',
  'vite.config.ts',
  'robust-image/robust-image.ts',
  'robust-image/react.ts',
  'robust-image/examples.ts',
];

test('no file has a name that says nothing', () => {
  expect(ALL.filter(({ name }) => EMPTY_NAMES.test(name))).toEqual([]);
});

test('only main touches the process', () => {
  const files = SOURCES.filter(({ text }) =>
    /\bprocess\.\w/.test(text.replaceAll(/^\s*(\*|\/\/|\/\*).*$/gm, '')),
  );
  expect(new Set(files.map(({ name }) => roomOf(name)))).toEqual(new Set(['main']));
});

test('only app.ts and app/ name the classes that they compose', () => {
  const makers =
    /\b(openFilesystemStore|makeDatabaseStore|openPostgresql|openS3Store|openGithubStore|makeSampleProvider|openOpenAiProvider|openFetcher)\(/;
  const files = SOURCES.filter(({ text }) =>
    makers.test(text.replaceAll(/export (async )?function .*/g, '')),
  );
  expect(new Set(files.map(({ name }) => roomOf(name)))).toEqual(new Set(['app']));
});

/** Order of the folders inside a room: a folder imports from folders to its left only. */
const INNER_ORDER: Readonly<Record<string, readonly string[]>> = {
  database: ['driver', 'pglite'],
  storage: ['cache', 'files', 'picture', 'stores', 'spool', 'arrivals', 'read', 'repair', 'variants'],
  provider: ['models', 'sample'],
  provenance: ['generators', 'carriers'],
  tool: ['finish'],
  image: [
    'related',
    'list',
    'ingest',
    'trash',
    'events',
    'maintenance',
    'bulk',
    'retention',
    'upload',
    'import',
    'generation',
  ],
  command: ['import', 'webhook'],
  graphql: ['builder', 'image', 'statistics', 'mutations', 'maintenance', 'audit', 'webhook'],
  config: ['sections'],
  http: ['body', 'response', 'traffic', 'bytes', 'pages', 'operations'],
};

test('a folder inside a room imports from folders to its left only', () => {
  const wrong: string[] = [];
  for (const [room, order] of Object.entries(INNER_ORDER))
    for (const [box, others] of boxGraph(SOURCES, room)) {
      if (!box.endsWith('.ts'))
        expect(order, `the order of ${room}/ does not know this folder`).toContain(box);
      for (const other of others)
        if (order.includes(box) && order.indexOf(other) > order.indexOf(box))
          wrong.push(`${room}: ${box} imports ${other}`);
    }
  expect(wrong).toEqual([]);
});

test('there is no circle of imports, imports of types included', () => {
  expect(circlesOf(fileGraph(ALL))).toEqual([]);
  const rooms = new Set(
    SOURCES.map(({ name }) => name.split('/')[0] as string).filter((room) => !room.endsWith('.ts')),
  );
  for (const room of rooms)
    expect(circlesOf(boxGraph(SOURCES, room)), `${room}/: its folders and files`).toEqual([]);
});

test('no file has over 300 lines of code without a reason in its header', () => {
  const long = ALL.filter(({ text }) => codeLines(text) > MAX_FILE_LINES && !/\bOver 300 lines/.test(text));
  expect(long.map(({ name }) => name)).toEqual([]);
});

test('no folder has over 20 files', () => {
  expect([...folderSizes(ALL)].filter(([, count]) => count > 20)).toEqual([]);
});

test('comments, descriptions and documents keep to docs/style.md', async () => {
  const findings = await lintWords(ROOT);
  expect(
    findings.map(({ file, line, text, advice }) => `${file}:${line}: ${text.trim()} (${advice})`),
  ).toEqual([]);
});
