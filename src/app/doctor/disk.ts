import { randomUUID } from 'node:crypto';
import { access, constants, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../config.ts';
import { formatBytes } from '../../storage/spool/format-bytes.ts';
import { type Finding, failure, ok, warning } from './report.ts';

/** Free space below this multiple of MIN_FREE_BYTES is a warning. */
const LOW_SPACE = 4;
const LOW_FILES = 1000;

/** Checks that the server can write in a directory: writes, flushes and removes a small file. */
export async function checkDirectory(name: string, directory: string): Promise<Finding[]> {
  const found = await stat(directory).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    return found.code === 'ENOENT' ? checkParent(name, directory) : [unusable(name, directory, found)];
  }
  if (!found.isDirectory())
    return [failure(`${directory} is not a directory.`, `Remove the file, or change ${name}.`)];
  const probe = path.join(directory, `.doctor-${randomUUID()}`);
  try {
    const handle = await open(probe, 'wx');
    try {
      await handle.writeFile('Fixative checks that it can write here.\n');
      await handle.sync();
    } finally {
      await handle.close();
      await rm(probe, { force: true });
    }
  } catch (error) {
    return [unusable(name, directory, error as NodeJS.ErrnoException)];
  }
  return [ok(`${directory} can be written.`)];
}

/** Checks that a start can make a directory that does not exist. */
async function checkParent(name: string, directory: string): Promise<Finding[]> {
  return access(await existingParent(directory), constants.W_OK | constants.X_OK).then(
    () => [ok(`${directory} does not exist yet; the first start makes it.`)],
    (error) => [unusable(name, directory, error)],
  );
}

/** Returns the directory, or the nearest one above it that exists. */
async function existingParent(directory: string): Promise<string> {
  const isThere = await stat(directory).catch(() => null);
  const parent = path.dirname(directory);
  return isThere || parent === directory ? directory : existingParent(parent);
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'Give the user of the server the right to write there',
  EPERM: 'Give the user of the server the right to write there',
  ENOSPC: 'Free some space on its disk',
  EDQUOT: 'Raise the quota of the user of the server',
  EROFS: 'Mount its disk with the right to write',
  ENOTDIR: 'Remove the file in its path',
};

function unusable(name: string, directory: string, { code, message }: NodeJS.ErrnoException): Finding {
  const remedy = REMEDIES[code ?? ''] ?? 'Repair or mount the disk';
  return failure(`${directory} cannot be used: ${message}`, `${remedy}, or change ${name}.`);
}

/** Secrets that DATA_DIR may hold. Their owner alone may read them. */
const SECRET_FILES = ['root-token', 'signing-key'];

/** Checks that the server may use the entries of DATA_DIR, and that other users cannot read its secrets. */
export async function checkContents({ dataDirectory }: Config): Promise<Finding[]> {
  const names = await readdir(dataDirectory).catch(() => []);
  const findings: Finding[] = [];
  for (const name of names) {
    const entry = path.join(dataDirectory, name);
    const isDirectory = (await stat(entry).catch(() => null))?.isDirectory() ?? false;
    const needed = isDirectory ? constants.R_OK | constants.W_OK | constants.X_OK : constants.R_OK;
    await access(entry, needed).catch(({ code, message }: NodeJS.ErrnoException) => {
      // `checkDirectory` reports every other fault.
      if (code !== 'EACCES') return;
      findings.push(
        failure(message, 'Give the files in DATA_DIR to the user of the server: chown -R USER DATA_DIR'),
      );
    });
  }
  for (const name of SECRET_FILES) {
    const file = path.join(dataDirectory, name);
    const mode = (await stat(file).catch(() => null))?.mode ?? 0;
    if (mode & 0o077) findings.push(warning(`${file} can be read by other users.`, `chmod 600 ${file}`));
  }
  return findings;
}

/** Compares the free space of the directories with MIN_FREE_BYTES. */
export async function checkSpace({
  dataDirectory,
  imageDirectory,
  minFreeBytes,
}: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  const directories = await Promise.all([dataDirectory, imageDirectory].map(existingParent));
  const disks = new Set<number>();
  for (const directory of directories) {
    const [{ dev }, space] = await Promise.all([stat(directory), statfs(directory)]);
    if (disks.has(dev)) continue;
    disks.add(dev);
    const bytes = space.bavail * space.bsize;
    const free = `${directory} has ${formatBytes(bytes)} of free space`;
    const remedy = 'Free some space, move the directory to a larger disk, or lower MIN_FREE_BYTES.';
    if (bytes < minFreeBytes)
      findings.push(
        failure(
          `${free}, less than MIN_FREE_BYTES (${formatBytes(minFreeBytes)}): no image is taken.`,
          remedy,
        ),
      );
    else if (bytes < LOW_SPACE * minFreeBytes)
      findings.push(
        warning(`${free}; below ${formatBytes(minFreeBytes)} (MIN_FREE_BYTES) no image is taken.`, remedy),
      );
    // File systems without a table of inodes report none at all.
    else if (space.files > 0 && space.ffree < LOW_FILES)
      findings.push(
        warning(
          `${directory} has room for ${space.ffree} more files (inodes).`,
          'Remove files, or use another disk.',
        ),
      );
    else findings.push(ok(`${free}.`));
  }
  return findings;
}
