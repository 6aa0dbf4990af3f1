/**
 * Reads the files of a source tree and the imports among them, for the tests and the report on the structure
 * of `src/`.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface SourceFile {
  /** Path below the root of the tree, with `/`. */
  readonly name: string;
  readonly text: string;
  /** Names of the imported files of the same tree, imports of types included. */
  readonly imports: readonly string[];
}

/** Matches `from './x.ts'`, `import './x.ts'` and `import('./x.ts')`. */
const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

/** Returns every TypeScript file below `root` (`.ts`, `.tsx`), without generated ones, sorted by name. */
export async function readSourceTree(root: string): Promise<SourceFile[]> {
  const names = (await readdir(root, { recursive: true }))
    .map((name) => name.replaceAll(path.sep, '/'))
    .filter((name) => /\.tsx?$/.test(name) && !/(^|\/)(generated|node_modules)\//.test(name))
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(path.join(root, name), 'utf8');
      return { name, text, imports: importsOf(name, text) };
    }),
  );
}

function importsOf(name: string, text: string): string[] {
  const specifiers = [...text.matchAll(IMPORT)].map(([, specifier = '']) => specifier);
  return specifiers.map((specifier) => path.posix.join(path.posix.dirname(name), specifier));
}

/**
 * Returns the circles of a graph: each set of two or more nodes that reach one another, sorted.
 * Tarjan's algorithm for strongly connected components.
 */
export function circlesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string) => {
    order.set(node, order.size);
    lowest.set(node, order.get(node) as number);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next))
        lowest.set(node, Math.min(lowest.get(node) as number, lowest.get(next) as number));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const members = stack.splice(stack.indexOf(node));
    if (members.length > 1) circles.push(members.sort());
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return circles;
}

/** Returns the graph of imports between files. */
export function fileGraph(files: readonly SourceFile[]): Map<string, Set<string>> {
  return new Map(files.map(({ name, imports }) => [name, new Set(imports)]));
}

/**
 * Returns the graph of imports inside one room, between its boxes: each folder directly in the room is one
 * box, and so is each file directly in it.
 */
export function boxGraph(files: readonly SourceFile[], room: string): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  const boxOf = (name: string) =>
    name.startsWith(`${room}/`) ? (name.slice(room.length + 1).split('/')[0] ?? null) : null;
  for (const { name, imports } of files) {
    const box = boxOf(name);
    if (box === null) continue;
    const others = imports.map(boxOf).filter((other) => other !== null && other !== box) as string[];
    graph.set(box, new Set([...(graph.get(box) ?? []), ...others]));
  }
  return graph;
}

/** Returns the number of files in each folder, sub-folders not counted. */
export function folderSizes(files: readonly SourceFile[]): Map<string, number> {
  const byFolder = Map.groupBy(files, ({ name }) => path.posix.dirname(name));
  return new Map([...byFolder].map(([folder, each]) => [folder, each.length]));
}

/** Most lines of code of a file whose header gives no reason for more. */
export const MAX_FILE_LINES = 300;

/** Returns the number of lines that are neither blank nor a comment. */
export function codeLines(text: string): number {
  return text.split('\n').filter((line) => !/^\s*($|\/\/|\/\*|\*)/.test(line)).length;
}
