import { createHmac, randomUUID } from 'node:crypto';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { type SharedValue, sharedValue } from '../database/shared-value.ts';
import { loadKeptSecret } from './kept-secret.ts';

/**
 * Compares this server with the server that was started before it on the same database, and logs a warning for each setting whose difference makes
 * addresses, tokens or uploads of one server invalid on the other (docs/several-machines.md). The database holds fingerprints (HMAC-SHA256) of keys and tokens.
 * @param options.needsDataDirectory whether something lies in DATA_DIR that a client may ask for at any server: what arrives for upload targets.
 */
export async function sayDisagreements(
  database: Database,
  options: {
    signingKeys: readonly [string, ...string[]];
    rootToken: string;
    dataDirectory: string;
    needsDataDirectory: boolean;
  },
  log: Logger,
): Promise<void> {
  // The lock on its directory leaves no other server.
  if (database.kind === 'pglite') return;
  const { signingKeys, rootToken, dataDirectory } = options;
  const keys = signingKeys.map(fingerprintOf) as [string, ...string[]];
  if (await differs(sharedValue(database, 'signing key'), keys))
    log.warn(
      'another server of this database signs with a key that this one does not have: addresses of images and uploads that one hands out are not valid at the other. Give all of them the same SIGNING_KEYS; after a change of keys, keep the former one behind the new one',
    );
  if (await differs(sharedValue(database, 'root token'), [fingerprintOf(rootToken)]))
    log.warn(
      'another server of this database has another root token: token, sessions and login links are good at one of them only. Give all of them the same FIXATIVE_ROOT_TOKEN',
    );
  const id = await loadKeptSecret(path.join(dataDirectory, 'directory-id'), randomUUID);
  if ((await differs(sharedValue(database, 'data directory'), [id])) && options.needsDataDirectory)
    log.warn(
      'another server of this database has another DATA_DIR: what a client sends to an upload target of one cannot be completed at the other. Share the directory between them, or add s3 to STORES, and bytes arrive there',
    );
}

/** @param own the first is on record from now on. @returns whether what was on record is none of them. */
async function differs(shared: SharedValue, own: readonly [string, ...string[]]): Promise<boolean> {
  const recorded = await shared.keep(own[0]);
  if (recorded !== own[0]) await shared.replace(own[0]);
  return !own.includes(recorded);
}

function fingerprintOf(secret: string): string {
  return createHmac('sha256', secret).update('fingerprint').digest('hex').slice(0, 32);
}
