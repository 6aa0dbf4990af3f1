import { open } from 'node:fs/promises';
import type { LocalFile } from '../src/storage/files/local-file.ts';

/** Opens a local file while `use` runs. */
export async function withLocalFile<Result>(
  path: string,
  use: (file: LocalFile) => Promise<Result>,
): Promise<Result> {
  await using handle = await open(path);
  const { size } = await handle.stat();
  return await use({ path, bytes: size, reader: handle });
}
