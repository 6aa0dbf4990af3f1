/**
 * The word lint: finds phrases that docs/style.md bans in comments, schema descriptions and documents. Run by
 * `npm run check` and by `test/house.test.ts`.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface Finding {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly advice: string;
}

interface Rule {
  readonly phrase: RegExp;
  readonly advice: string;
  /** Whether the rule looks at the first line of a comment or description only. */
  readonly isForStart?: boolean;
}

/** A line of prose without its comment marks. */
interface ProseLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** Whether a comment or description begins here; false in documents. */
  readonly isStart: boolean;
  /** Columns of the whole line, and most columns that it may have; null: any. */
  readonly width: number;
  readonly maxWidth: number | null;
}

/** The formatter's width, for code and comments. */
const CODE_WIDTH = 110;
const DOCUMENT_WIDTH = 120;

const RULES: readonly Rule[] = [
  { phrase: /^The same\b/, isForStart: true, advice: 'a comment stands alone: say what it is' },
  {
    phrase: /^(What|Whose|Who|Of|How (many|long|much|far)) /,
    isForStart: true,
    advice: 'begin with a verb (functions) or a noun (values)',
  },
  { phrase: /\bfor ever\b/i, advice: 'write "permanently" or "forever"' },
  { phrase: /\bin the (very )?moment in which\b/i, advice: 'write "when"' },
  { phrase: /\banew\b/i, advice: 'write "again"' },
  {
    phrase: /\b(whoever|whomever|nobody|somebody|that which)\b/i,
    advice: 'name the subject: the client, the caller, the worker',
  },
  {
    phrase: /[,;] for (it|they|there|that|this|these|those|he|she|we|one|no|each|all|both|what)\b/,
    advice: 'write "because"',
  },
  { phrase: /\bmakes? way\b/i, advice: 'write "is evicted"' },
  { phrase: /\bthe (short|quick|long) way\b/i, advice: 'write "fast path" or "slow path"' },
  {
    phrase: /\b(so|that) many (of|things|times|seconds|days|processes|bytes|pixels|rows|images|pieces)\b/i,
    advice: 'name the number: "at most N …"',
  },
  { phrase: /\bat the most\b/i, advice: 'write "at most"' },
  { phrase: /\bwhose making\b/i, advice: 'write "whose generation"' },
  { phrase: /\b(says|say) (itself|themselves)\b/i, advice: 'write "registers"' },
  { phrase: /\bwhat is to be\b/i, advice: 'use a noun' },
  { phrase: /\b(is|are|was|were) ended\b/i, advice: 'write "revoked", "cancelled" or "closed"' },
  { phrase: /\bnot un\w+able\b/i, advice: 'no double negation' },
];

/** Returns what lines of prose break. */
function check(file: string, lines: Iterable<ProseLine>): Finding[] {
  const findings: Finding[] = [];
  const rules = QUOTES.test(file) ? [] : RULES;
  for (const { line, text, isStart, width, maxWidth } of lines) {
    for (const { phrase, advice, isForStart } of rules)
      if ((isStart || !isForStart) && phrase.test(text)) findings.push({ file, line, text, advice });
    if (maxWidth !== null && width > maxWidth)
      findings.push({ file, line, text, advice: `${width} columns, at most ${maxWidth}` });
  }
  return findings;
}

/** Yields the lines of comments that stand on lines of their own, in TypeScript, Prisma or SQL. */
export function* commentLines(text: string): Generator<ProseLine> {
  let isInside = false;
  for (const [index, whole] of text.split('\n').entries()) {
    const [, mark = '', comment = ''] =
      /^\s*(\/\*\*?|\*(?!\/)|\/\/\/?|--)\s?(.*?)(?:\s*\*\/)?$/.exec(whole) ?? [];
    if (comment)
      yield {
        line: index + 1,
        text: comment,
        isStart: !isInside,
        width: whole.length,
        maxWidth: /https?:|biome-ignore/.test(whole) ? null : CODE_WIDTH,
      };
    isInside = mark !== '' && !(mark === '/**' && comment === '');
  }
}

/** Yields the lines of the descriptions of a GraphQL schema. */
export function* descriptionLines(text: string): Generator<ProseLine> {
  let isInside = false;
  let isStart = false;
  for (const [index, whole] of text.split('\n').entries()) {
    const parts = whole.split('"""');
    const prose = { line: index + 1, width: whole.length, maxWidth: null };
    if (parts.length === 3) yield { ...prose, text: parts[1] ?? '', isStart: true };
    else if (isInside && parts.length === 1) yield { ...prose, text: whole.trim(), isStart };
    isStart = parts.length === 2 && !isInside;
    if (parts.length === 2) isInside = !isInside;
  }
}

/**
 * Yields the lines of a Markdown document outside of fenced code. Rows of tables, and lines of one word such
 * as an address, may be of any width.
 */
export function* documentLines(text: string): Generator<ProseLine> {
  let isCode = false;
  for (const [index, whole] of text.split('\n').entries()) {
    if (/^\s*```/.test(whole)) isCode = !isCode;
    else if (!isCode) {
      const maxWidth = /^\s*\||^\s*\S+$/.test(whole) ? null : DOCUMENT_WIDTH;
      yield { line: index + 1, text: whole, isStart: false, width: whole.length, maxWidth };
    }
  }
}

/** Files that quote the banned phrases: only their width is checked. */
const QUOTES = /^(docs\/style\.md|test\/house\/words\.ts)$/;

/** Returns what the texts of the repository at `root` break: comments, schema.graphql and documents. */
export async function lintWords(root: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const file of await textFiles(root)) {
    const text = await readFile(path.join(root, file), 'utf8');
    findings.push(...check(file, proseOf(file, text)));
  }
  return findings;
}

/** Returns the lines of prose in a file, by its type. */
export function proseOf(file: string, text: string): Generator<ProseLine> {
  if (file.endsWith('.md')) return documentLines(text);
  return file.endsWith('.graphql') ? descriptionLines(text) : commentLines(text);
}

const FOLDERS = ['src', 'test', 'bench', 'docs', 'examples', 'prisma'];

/** Returns the files whose prose is checked, relative to `root`, sorted. */
export async function textFiles(root: string): Promise<string[]> {
  const top = await readdir(root);
  const found = top.filter((name) => name.endsWith('.md') || name === 'schema.graphql');
  // An older checkout, to compare with, may lack a folder.
  for (const folder of FOLDERS.filter((name) => top.includes(name)))
    for (const name of await readdir(path.join(root, folder), { recursive: true }))
      found.push(`${folder}/${name.replaceAll(path.sep, '/')}`);
  const isText = (file: string) =>
    /\.(tsx?|md|sql|prisma)$|^schema\.graphql$/.test(file) &&
    !/\/(generated|node_modules|inputs)\//.test(file);
  return found.filter((file) => isText(file)).sort();
}
