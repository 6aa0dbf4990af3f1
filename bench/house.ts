/**
 * Reports how readable a checkout is: `npm run bench:house [-- DIRECTORY]`. One row a measure: words per
 * sentence in comments, descriptions and documents, lines over the width, findings of the word lint, files
 * and functions over their limits, circles of imports, and imports inside the larger rooms.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  boxGraph,
  circlesOf,
  codeLines,
  fileGraph,
  folderSizes,
  MAX_FILE_LINES,
  readSourceTree,
  type SourceFile,
} from '../test/house/source-tree.ts';
import { lintWords, proseOf, textFiles } from '../test/house/words.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const MAX_FUNCTION_LINES = 60;
const LONG_SENTENCE_WORDS = 20;

type Row = readonly [measure: string, value: string | number];

/** Returns the numbers of words of the sentences in the files that match `kind`, in ascending order. */
async function sentenceLengths(root: string, kind: RegExp): Promise<number[]> {
  const lengths: number[] = [];
  for (const file of (await textFiles(root)).filter((name) => kind.test(name))) {
    const paragraphs: string[] = [];
    let last = -1;
    for (const { line, text, isStart } of proseOf(file, await readFile(path.join(root, file), 'utf8'))) {
      const isNew =
        isStart || line !== last + 1 || /^\s*([-*#|]|@\w+|\d+\.)/.test(text) || text.trim() === '';
      if (isNew) paragraphs.push(text);
      else paragraphs[paragraphs.length - 1] += ` ${text}`;
      last = line;
    }
    for (const paragraph of paragraphs)
      for (const sentence of paragraph.split(/[.!?:](?:\s|$)/)) {
        const words = sentence.split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
        if (words > 0 && !paragraph.trimStart().startsWith('|')) lengths.push(words);
      }
  }
  return lengths.sort((a, b) => a - b);
}

async function sentenceRows(root: string, name: string, kind: RegExp): Promise<Row[]> {
  const lengths = await sentenceLengths(root, kind);
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const long = lengths.filter((length) => length > LONG_SENTENCE_WORDS).length;
  return [
    [`${name}: words a sentence, mean`, mean.toFixed(1)],
    [`${name}: sentences over ${LONG_SENTENCE_WORDS} words`, `${long} of ${lengths.length}`],
  ];
}

async function lintRows(root: string): Promise<Row[]> {
  const findings = await lintWords(root);
  const isWidth = ({ advice }: { advice: string }) => / columns, /.test(advice);
  return [
    ['lines of prose over the width', findings.filter(isWidth).length],
    ['phrases that the word lint bans', findings.filter((finding) => !isWidth(finding)).length],
  ];
}

/** Counts functions over the limit by biome's rule, with and without those that carry a reason. */
async function functionRows(root: string): Promise<Row[]> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-house-'));
  try {
    const rule = { level: 'error', options: { maxLines: MAX_FUNCTION_LINES, skipBlankLines: true } };
    const rules = { preset: 'none', complexity: { noExcessiveLinesPerFunction: rule } };
    const config = { root: true, files: { includes: ['**/*.ts', '!**/generated'] }, linter: { rules } };
    await writeFile(path.join(directory, 'biome.json'), JSON.stringify(config));
    const biome = path.join(PROJECT, 'node_modules/.bin/biome');
    const options = [
      'lint',
      `--config-path=${directory}`,
      '--max-diagnostics=2000',
      '--reporter=github',
      'src',
    ];
    const { stdout } = await promisify(execFile)(biome, options, { cwd: root, maxBuffer: 2 ** 26 }).catch(
      (error: { stdout: string }) => error,
    );
    return [
      [`functions over ${MAX_FUNCTION_LINES} lines`, stdout.split('noExcessiveLinesPerFunction').length - 1],
    ];
  } finally {
    await rm(directory, { recursive: true });
  }
}

function structureRows(files: readonly SourceFile[]): Row[] {
  const rooms = ['image', 'http', 'storage', 'graphql', 'database'];
  return [
    [
      `files over ${MAX_FILE_LINES} lines of code`,
      files.filter(({ text }) => codeLines(text) > MAX_FILE_LINES).length,
    ],
    [
      `files over ${MAX_FILE_LINES} lines`,
      files.filter(({ text }) => text.split('\n').length > MAX_FILE_LINES).length,
    ],
    ['files in the largest folder', Math.max(...folderSizes(files).values())],
    [
      'circles of imports',
      circlesOf(fileGraph(files))
        .map((each) => each.length)
        .join(' + ') || 0,
    ],
    ...rooms.map((room): Row => {
      const graph = boxGraph(files, room);
      const arrows = [...graph.values()].reduce((sum, others) => sum + others.size, 0);
      return [`${room}/: boxes and imports among them`, `${graph.size} and ${arrows}`];
    }),
  ];
}

const root = path.resolve(process.argv[2] ?? PROJECT);
const rows = [
  ...(await sentenceRows(root, 'comments', /^(src|test|bench)\//)),
  ...(await sentenceRows(root, 'schema.graphql', /^schema\.graphql$/)),
  ...(await sentenceRows(root, 'documents', /\.md$/)),
  ...(await lintRows(root)),
  ...(await functionRows(root)),
  ...structureRows(await readSourceTree(path.join(root, 'src'))),
];
for (const [measure, value] of rows) process.stdout.write(`${measure.padEnd(44)} ${value}\n`);
