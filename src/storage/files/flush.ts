import { open } from 'node:fs/promises';

/**
 * Flushes a file or a directory to the disk. After a rename or the creation of a file, flush its directory as
 * well: the new name is lost with the power otherwise (rename(2), fsync(2)).
 */
export async function flushToDisk(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
