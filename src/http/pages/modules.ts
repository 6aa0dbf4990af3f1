/** Modules that pages of other origins load from this server: RobustImage and its types. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Exchange } from '../exchange.ts';
import { matches } from '../response/conditions.ts';
import { type Coding, codingOf } from './graphiql.ts';

const NAMES = [
  'robust-image.js',
  'robust-image-react.js',
  'robust-image.d.ts',
  'robust-image-react.d.ts',
] as const;

/** Paths of the modules. They do not change from version to version, so caches ask again after an hour. */
export const MODULE_PATHS = NAMES.map((name) => `/${name}` as const);

/** Path of the page of examples. */
export const EXAMPLES_PATH = '/robust-image';

export interface Module {
  readonly type: string;
  readonly etag: string;
  readonly forms: Readonly<Record<Coding | 'identity', Buffer>>;
}

/** Reads the modules that the build has written; empty without a build. */
export function readModules(directory: string): ReadonlyMap<string, Module> {
  const modules = new Map<string, Module>();
  for (const name of NAMES) {
    const content = readOrNull(path.join(directory, name));
    if (content !== null)
      modules.set(name, {
        type: `text/${name.endsWith('.js') ? 'javascript' : 'plain'}; charset=utf-8`,
        etag: createHash('sha256').update(content).digest('base64url'),
        forms: { identity: content, br: brotliCompressSync(content), gzip: gzipSync(content) },
      });
  }
  return modules;
}

function readOrNull(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Sends a module. The headers of CORS are set before. */
export function sendModule({ request, response }: Exchange, { type, etag, forms }: Module): void {
  const coding = codingOf(String(request.headers['accept-encoding'] ?? '')) ?? 'identity';
  const body = forms[coding];
  const headers = {
    ETag: `"${etag}-${coding}"`,
    'Cache-Control': 'public, max-age=3600',
    Vary: 'Accept-Encoding, Origin',
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'cross-origin',
  };
  if (matches(request.headers['if-none-match'], headers.ETag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    'Content-Type': type,
    'Content-Length': body.length,
    ...(coding === 'identity' ? {} : { 'Content-Encoding': coding }),
  });
  response.end(body);
}
