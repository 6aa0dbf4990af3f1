import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { decodeText, decodeUtf8 } from '../../text.ts';

/** Path for calls of the file system. Bytes when it is not UTF-8: a string would lose them. */
export type FilePath = string | Buffer;

/** A file below a folder, or a folder that cannot be read. */
export interface FoundFile {
  /** Path relative to the folder, for people. Names that are not UTF-8 are read as Windows-1252. */
  readonly name: string;
  readonly path: FilePath;
  readonly error?: Error;
}

/**
 * Yields every regular file below a folder, sorted by name, without hidden files and folders. Does not follow
 * symbolic links: they could lead outside of the folder, or in a circle.
 */
export function walkFolder(root: string): AsyncGenerator<FoundFile> {
  return walk(root, '');
}

async function* walk(folder: FilePath, below: string): AsyncGenerator<FoundFile> {
  let entries: Awaited<ReturnType<typeof readFolder>>;
  try {
    entries = await readFolder(folder);
  } catch (error) {
    // The folder itself must be readable. A folder below it need not be.
    if (below === '') throw error;
    yield { name: below, path: folder, error: error as Error };
    return;
  }
  for (const { name: bytes, entry } of entries) {
    const place = pathOf(Buffer.concat([Buffer.from(folder), Buffer.from(path.sep), bytes]));
    const name = path.join(below, decodeText(bytes));
    if (bytes.toString('latin1').startsWith('.')) continue;
    if (entry.isDirectory()) yield* walk(place, name);
    else if (entry.isFile()) yield { name, path: place };
  }
}

async function readFolder(directory: FilePath) {
  const entries = await readdir(directory, { withFileTypes: true, encoding: 'buffer' });
  return entries
    .map((entry) => ({ name: Buffer.from(entry.name), entry }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
}

const pathOf = (bytes: Buffer): FilePath => decodeUtf8(bytes) ?? bytes;

/** Returns the path with a suffix. */
export function withSuffix(file: FilePath, suffix: string): FilePath {
  return typeof file === 'string' ? file + suffix : Buffer.concat([file, Buffer.from(suffix)]);
}

/** Returns the path without its last `count` bytes, which must be ASCII. */
export function withoutLast(file: FilePath, count: number): FilePath {
  return pathOf(Buffer.from(file).subarray(0, -count));
}

/**
 * Opens a file for reading. Fails on a symbolic link, and does not block on a pipe that has replaced the
 * file.
 */
export function openFile(file: FilePath): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Returns whether there is a regular file at the path; false for a symbolic link. */
export async function isFile(file: FilePath): Promise<boolean> {
  return lstat(file).then(
    (stat) => stat.isFile(),
    () => false,
  );
}
