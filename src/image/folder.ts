import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';

/** A file below a folder, or a folder of it that cannot be read. */
export interface FoundFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly error?: Error;
}

/**
 * Every regular file below a folder, by name. Hidden files and folders are left aside, and so is what is no file; symbolic links are not
 * followed, so that nothing outside is reached and no circle is walked.
 */
export async function* walkFolder(root: string, below = ''): AsyncGenerator<FoundFile> {
  let entries: Awaited<ReturnType<typeof readFolder>>;
  try {
    entries = await readFolder(path.join(root, below));
  } catch (error) {
    // What was asked for must be there; a folder below it may be closed to us.
    if (below === '') throw error;
    yield { name: below, error: error as Error };
    return;
  }
  for (const entry of entries) {
    const name = path.join(below, entry.name);
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) yield* walkFolder(root, name);
    else if (entry.isFile()) yield { name };
  }
}

async function readFolder(directory: string) {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Opens a file for reading, and nothing that has taken its place: no link, and no pipe that nobody writes to. */
export function openFile(file: string): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Whether there is a file of this name, and no link. */
export async function isFile(file: string): Promise<boolean> {
  return lstat(file).then(
    (stat) => stat.isFile(),
    () => false,
  );
}
