import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { diskFaultOf } from '../database/pglite/disk-fault.ts';
import { replaceFilePolicies } from '../image/retention/policy.ts';
import { readPolicyFile } from '../image/retention/policy-file.ts';
import type { Logger } from '../log.ts';

/**
 * Makes the retention policies of RETENTION_FILE those of the database.
 * @throws FixativeError for a file with an error. The start must then end: policies that an operator has
 *   changed would not apply.
 */
export async function readRetentionFile(
  { retentionFile }: Config,
  { database, log }: { readonly database: Database; readonly log: Logger },
): Promise<void> {
  const policies = retentionFile === null ? [] : await readPolicyFile(retentionFile);
  try {
    await replaceFilePolicies({ database }, policies);
  } catch (error) {
    // A full disk must not keep the server from serving.
    if (diskFaultOf(error) === null) throw error;
    log.warn(
      { err: error },
      'the policies of RETENTION_FILE are not applied: the database accepts no writes',
    );
  }
}
