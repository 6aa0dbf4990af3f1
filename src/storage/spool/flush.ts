import { open } from 'node:fs/promises';

/**
 * Flushes a file, or a directory: a rename or a new name survives the loss of power only when its directory has been flushed (rename(2), fsync(2)).
 */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
