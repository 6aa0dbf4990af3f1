import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { loadKeptSecret } from './kept-secret.ts';

/**
 * Returns the root token: the configured one, or one of 256 random bits, which is created at the first start
 * and kept in `DATA_DIR/root-token`, readable by its owner only.
 */
export async function loadRootToken(config: {
  rootToken: string | null;
  dataDirectory: string;
}): Promise<string> {
  if (config.rootToken) return config.rootToken;
  const file = path.join(config.dataDirectory, 'root-token');
  return loadKeptSecret(file, () => `fx_${randomBytes(32).toString('base64url')}`);
}
