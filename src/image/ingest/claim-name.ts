import type { Queryable } from '../../database/database.ts';
import { exactFilename } from './filename.ts';

// A name may hold a time in milliseconds, so two equal names are common under load. The lock makes the second
// look after the first commit.
const LOCK_NAME = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL AS taken';
const IS_TAKEN = 'SELECT id FROM generated_images WHERE filename = $1 AND id IS DISTINCT FROM $2::bigint';

/**
 * Returns the name of an exported file; null: another image has it, or this server would not give such a
 * name.
 */
export async function claimExportedName(
  transaction: Queryable,
  name: string,
  mimeType: string,
): Promise<string | null> {
  return exactFilename(name, mimeType) === name ? claimName(transaction, name, null) : null;
}

/**
 * Returns the name, locked until the end of the transaction; null: another image has it.
 * @param imageId image that may have it already.
 */
export async function claimName(
  transaction: Queryable,
  name: string,
  imageId: bigint | null,
): Promise<string | null> {
  await transaction.query(LOCK_NAME, [`fixative:filename:${name}`]);
  return (await transaction.query(IS_TAKEN, [name, imageId])).length > 0 ? null : name;
}
