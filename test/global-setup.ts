import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runPrepare } from '../src/command/prepare.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Prepares the embedded database that tests start from, and builds the gallery, unless `npm ci` has done it.
 * A start from the prepared database takes a quarter of the time.
 */
export default async function setup(): Promise<void> {
  await Promise.all([runPrepare(), buildGallery()]);
}

/** Builds the gallery if its sources are newer than the build. */
async function buildGallery(): Promise<void> {
  const built = await changedAt('dist/web/index.html');
  const names = await readdir(path.join(ROOT, 'src/web'), { recursive: true });
  const sources = await Promise.all(names.map((name) => changedAt(`src/web/${name}`)));
  if (built > Math.max(...sources)) return;
  // In a process of its own: vitest has set NODE_ENV, and the build would contain React's checks.
  const { NODE_ENV: _, ...env } = process.env;
  await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT, env });
}

/** Returns when a file was last changed, in milliseconds since 1970; 0: it does not exist. */
const changedAt = (name: string): Promise<number> =>
  stat(path.join(ROOT, name)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
