import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The root token: the configured one, or one of 256 random bits that is made at the first start and kept in
 * `DATA_DIR/root-token`, readable by its owner only.
 */
export async function loadRootToken(config: {
  rootToken: string | null;
  dataDirectory: string;
}): Promise<string> {
  if (config.rootToken) return config.rootToken;
  const file = path.join(config.dataDirectory, 'root-token');
  const known = await readToken(file);
  if (known) return known;
  // Written whole under another name and linked into place: of two servers that start at once, both use the first one's.
  await mkdir(config.dataDirectory, { recursive: true });
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, `fx_${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true });
  try {
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return (await readToken(file)) ?? '';
}

async function readToken(file: string): Promise<string | null> {
  try {
    return (await readFile(file, 'utf8')).trim() || null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
