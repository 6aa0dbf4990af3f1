/** Files that `npm run build` has written: the scripts and styles of the gallery, and RobustImage. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Exchange } from '../exchange.ts';
import type { Coding } from '../response/accept.ts';
import { codingOf, sendCoded } from '../response/coded.ts';

/** Media types by extension. */
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  // Types of TypeScript, not a video.
  '.ts': 'text/plain; charset=utf-8',
};

/** Endings of the compressed forms that the build writes beside a file. */
const ENDINGS = { br: '.br', gzip: '.gz' } as const satisfies Record<Coding, string>;

export interface BuiltFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly compressed: Readonly<Partial<Record<Coding, Buffer>>>;
}

/**
 * Reads the files into memory, about two megabytes: a later build does not change what this process serves.
 * Returns them by their paths below the directory, with `/`; empty without a build.
 */
export function readBuiltFiles(directory: string): ReadonlyMap<string, BuiltFile> {
  const names = readNames(directory);
  const files = new Map<string, BuiltFile>();
  for (const name of names) {
    const type = TYPES[path.extname(name)];
    if (type === undefined) continue;
    const plain = readFileSync(path.join(directory, name));
    const compressed: Partial<Record<Coding, Buffer>> = {};
    for (const [coding, ending] of Object.entries(ENDINGS) as [Coding, string][])
      if (names.has(name + ending)) compressed[coding] = readFileSync(path.join(directory, name + ending));
    const etag = createHash('sha256').update(plain).digest('base64url');
    files.set(name, { type, etag, plain, compressed });
  }
  return files;
}

function readNames(directory: string): ReadonlySet<string> {
  try {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    return new Set(names.map((name) => name.replaceAll(path.sep, '/')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    throw error;
  }
}

/** Sends a file, compressed if the client accepts that. @param headers of the response, such as caching. */
export function sendBuiltFile(
  exchange: Exchange,
  { type, etag, plain, compressed }: BuiltFile,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const accepted = codingOf(exchange.request);
  const form = accepted === null ? undefined : compressed[accepted];
  const coding = form ? accepted : null;
  return sendCoded(exchange, {
    type,
    coding,
    headers: { ETag: `"${etag}-${coding ?? 'identity'}"`, 'X-Content-Type-Options': 'nosniff', ...headers },
    body: () => form ?? plain,
  });
}
