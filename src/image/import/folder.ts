import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { decodeText, decodeUtf8 } from '../../text.ts';

/** Where a file is, for the calls of the file system: its bytes where they are no UTF-8, which a string would not give back. */
export type FilePath = string | Buffer;

/** A file below a folder, or a folder of it that cannot be read. */
export interface FoundFile {
  /** Relative to the folder, to be shown; names that are no UTF-8 are read as Windows-1252. */
  readonly name: string;
  readonly path: FilePath;
  readonly error?: Error;
}

/**
 * Every regular file below a folder, by name. Hidden files and folders are left aside, and so is what is no file; symbolic links are not
 * followed, so that nothing outside is reached and no circle is walked.
 */
export function walkFolder(root: string): AsyncGenerator<FoundFile> {
  return walk(root, '');
}

async function* walk(folder: FilePath, below: string): AsyncGenerator<FoundFile> {
  let entries: Awaited<ReturnType<typeof readFolder>>;
  try {
    entries = await readFolder(folder);
  } catch (error) {
    // What was asked for must be there; a folder below it may be closed to us.
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

/** The path of a file that lies beside another and has a name longer by `suffix`. */
export function withSuffix(file: FilePath, suffix: string): FilePath {
  return typeof file === 'string' ? file + suffix : Buffer.concat([file, Buffer.from(suffix)]);
}

/** The path without the last `count` bytes, which are ASCII. */
export function withoutLast(file: FilePath, count: number): FilePath {
  return pathOf(Buffer.from(file).subarray(0, -count));
}

/** Opens a file for reading, and nothing that has taken its place: no link, and no pipe that nobody writes to. */
export function openFile(file: FilePath): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Whether there is a file of this name, and no link. */
export async function isFile(file: FilePath): Promise<boolean> {
  return lstat(file).then(
    (stat) => stat.isFile(),
    () => false,
  );
}
