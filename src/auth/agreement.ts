import { createHmac, randomUUID } from 'node:crypto';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { type SharedValue, sharedValue } from '../database/shared-value.ts';
import { loadKeptSecret } from './kept-secret.ts';

/**
 * Compares this server with the one that was started before it on the same database. Logs a warning for each
 * setting that differs and must not: addresses, tokens or uploads of one server would be invalid at the other
 * (docs/several-machines.md). The database holds only fingerprints (HMAC-SHA256) of keys and tokens.
 * @param options.needsDataDirectory whether clients may ask any server for files in DATA_DIR, as for files
 * sent to upload targets.
 */
export async function warnAboutDifferences(
  database: Database,
  options: {
    signingKeys: readonly [string, ...string[]];
    rootToken: string;
    dataDirectory: string;
    needsDataDirectory: boolean;
  },
  log: Logger,
): Promise<void> {
  // PGlite's lock on DATA_DIR excludes other servers.
  if (database.kind === 'pglite') return;
  const { signingKeys, rootToken, dataDirectory } = options;
  const keys = signingKeys.map(fingerprintOf) as [string, ...string[]];
  if (await differs(sharedValue(database, 'signing key'), keys))
    log.warn(
      'another server of this database signs with a key that this server does not have: signed addresses of one are invalid at the other. Give all servers the same SIGNING_KEYS; after a change of keys, keep the old key behind the new one',
    );
  if (await differs(sharedValue(database, 'root token'), [fingerprintOf(rootToken)]))
    log.warn(
      'another server of this database has another root token: the token, sessions and login links of one are invalid at the other. Give all servers the same FIXATIVE_ROOT_TOKEN',
    );
  const id = await loadKeptSecret(path.join(dataDirectory, 'directory-id'), randomUUID);
  if ((await differs(sharedValue(database, 'data directory'), [id])) && options.needsDataDirectory)
    log.warn(
      'another server of this database has another DATA_DIR: a file that was uploaded to one cannot be completed at the other. Share the directory between all servers, or add s3 to STORES, so that uploads go there',
    );
}

/** Records the first of `own`. Returns whether the recorded value was none of them. */
async function differs(shared: SharedValue, own: readonly [string, ...string[]]): Promise<boolean> {
  const recorded = await shared.keep(own[0]);
  if (recorded !== own[0]) await shared.replace(own[0]);
  return !own.includes(recorded);
}

function fingerprintOf(secret: string): string {
  return createHmac('sha256', secret).update('fingerprint').digest('hex').slice(0, 32);
}
