import { existsSync } from 'node:fs';
import path from 'node:path';
import { hasTokens } from '../../auth/tokens.ts';
import { needsTokens } from '../../command/serve.ts';
import type { Config } from '../../config.ts';
import { readPersistedOperations } from '../../http/operations/persisted-operations.ts';
import { WEB_DIRECTORY } from '../open-server.ts';
import { ask } from './ask.ts';
import type { AskedDatabase } from './database.ts';
import { type Finding, failure, messageOf, ok, skipped, warning } from './report.ts';

/**
 * Checks that clients can log in to a server that other machines can reach, as a start does.
 * @param opened the database, or why it cannot be asked for API tokens.
 */
export async function checkLogin(config: Config, opened: AskedDatabase): Promise<Finding[]> {
  if (!needsTokens(config)) return [ok('Clients can log in.')];
  const found = `HOST is ${config.host}, so clients need API tokens, an identity provider or FIXATIVE_ROOT_TOKEN.`;
  if ('database' in opened) {
    const [table] = await opened.database.query<{ there: boolean }>(
      `SELECT to_regclass('api_tokens') IS NOT NULL AS there`,
    );
    if (table?.there && (await hasTokens(opened.database))) return [ok('Clients can log in by API tokens.')];
  } else if (!opened.isAbsent) return [skipped(`${found} The database cannot be asked for tokens.`)];
  return [
    failure(
      `${found} There is none, so the server does not start.`,
      'Set FIXATIVE_ROOT_TOKEN, AUTH_JWKS_URL or AUTH_JWT_SECRET, or: npm run fixative -- token create',
    ),
  ];
}

/** Reads the public keys of the identity provider. */
export async function checkKeys(jwksUrl: string): Promise<Finding[]> {
  const remedy = 'Correct AUTH_JWKS_URL, or check the network: tokens of users are refused without the keys.';
  const answer = await ask(jwksUrl).catch(messageOf);
  if (typeof answer === 'string') return [failure(`${jwksUrl} cannot be reached: ${answer}`, remedy)];
  let keys: unknown;
  try {
    keys = (JSON.parse(answer.text) as { keys?: unknown } | null)?.keys;
  } catch {
    keys = null;
  }
  if (answer.status !== 200 || !Array.isArray(keys))
    return [failure(`${jwksUrl} answers ${answer.status} without a JSON Web Key Set.`, remedy)];
  if (keys.length === 0) return [failure(`${jwksUrl} has no key.`, remedy)];
  return [ok(`${jwksUrl} has ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}.`)];
}

/** Reads the manifest of persisted operations, as a start does. */
export async function checkPersisted(file: string): Promise<Finding[]> {
  return readPersistedOperations(file).then(
    ({ size }) => [ok(`${file} has ${size} operations.`)],
    (error) => [failure(messageOf(error), 'Correct the file or PERSISTED_OPERATIONS_FILE.')],
  );
}

/** Checks that the gallery is built. The server works without it. */
export async function checkGallery(): Promise<Finding[]> {
  if (existsSync(path.join(WEB_DIRECTORY, 'index.html'))) return [ok('The gallery is built.')];
  return [warning('The gallery is not built, so its pages are missing.', 'npm run build')];
}
