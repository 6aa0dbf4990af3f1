import type { Database, HeldLock, Queryable } from '../database/database.ts';
import { isDatabaseAway } from '../database/driver/errors.ts';
import { StoreError } from '../errors.ts';
import { recordError } from './copies.ts';
import type { StorageDeps } from './deps.ts';
import { noReference } from './references.ts';
import { clearRetiredKeys, deleteCopy } from './retired-keys.ts';

/**
 * How bytes are deleted:
 *
 * 1. The caller deletes its reference in a transaction. The transaction condemns the blob if no reference is
 *    left.
 * 2. The bytes are deleted store by store. Each copy leaves the record after its bytes are gone.
 * 3. The row of the blob is deleted last.
 *
 * All steps hold the lock of the blob, which `put` holds as well. A put of the same bytes therefore runs
 * before or after and pardons the blob. If the lock is lost, the next statement fails and nothing more is
 * deleted; retired-keys.ts covers deletions that were already sent. A crash leaves a condemned blob.
 * Condemned blobs are the queue for the next run.
 */

type RemoveDeps = Pick<
  StorageDeps,
  'database' | 'stores' | 'references' | 'onForget' | 'onRemove' | 'outages' | 'log'
>;

/** A statement of its own, so that the next one sees what other holders of the row lock have committed. */
const LOCK_BLOB = 'SELECT 1 FROM blobs WHERE id = $1 FOR UPDATE';

/** See Storage.remove. */
export async function removeBlob(
  deps: RemoveDeps,
  blobId: number,
  forget: (transaction: Queryable) => Promise<void>,
): Promise<void> {
  const condemn = `UPDATE blobs SET condemned_at = now() WHERE id = $1
    AND ${noReference(deps.references, '$1')} RETURNING id`;
  await underBlobLock(deps.database, blobId, async (sha256, lock) => {
    const isCondemned = await deps.database.transaction(async (transaction) => {
      await forget(transaction);
      await transaction.query(LOCK_BLOB, [blobId]);
      return (await transaction.query(condemn, [blobId])).length > 0;
    });
    deps.onForget(blobId);
    await deps.database.flush();
    if (!isCondemned) return;
    // The removal is committed, so it succeeds in any case. A later run deletes the bytes that are left.
    await deleteBytes(deps, lock, blobId).catch((error) => noteLeftBytes(deps, sha256, error));
  });
}

/** See Storage.removeCondemned. */
export async function removeCondemned(
  deps: RemoveDeps,
  signal?: AbortSignal,
): Promise<{ removed: number; left: number }> {
  const tally = { removed: 0, left: 0 };
  for (let after = 0; ; ) {
    const rows = await deps.database.query<{ id: number }>(
      'SELECT id FROM blobs WHERE condemned_at IS NOT NULL AND id > $1 ORDER BY id LIMIT 100',
      [after],
    );
    for (const { id } of rows) {
      signal?.throwIfAborted();
      await underBlobLock(deps.database, id, async (sha256, lock) => {
        try {
          const isGone = await deleteBytes(deps, lock, id);
          tally[isGone ? 'removed' : 'left']++;
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          tally.left++;
          noteLeftBytes(deps, sha256, error);
        }
      });
    }
    const last = rows.at(-1);
    if (!last) break;
    after = last.id;
  }
  await clearRetiredKeys(deps, signal);
  return tally;
}

/**
 * Logs that bytes are left. An outage of a store or of the database has its own log line, so it is logged at
 * `debug` here.
 */
function noteLeftBytes({ outages, log }: RemoveDeps, sha256: string, error: unknown): void {
  const isAway = error instanceof StoreError && error.retryable;
  if (isAway) outages.failed(error.store, error);
  log[isAway || isDatabaseAway(error) ? 'debug' : 'warn'](
    { sha256, err: error },
    'could not delete all bytes of a blob; a later run tries again',
  );
}

async function underBlobLock(
  database: Database,
  blobId: number,
  work: (sha256: string, lock: HeldLock) => Promise<void>,
): Promise<void> {
  const [blob] = await database.query<{ sha256: string }>('SELECT sha256 FROM blobs WHERE id = $1', [blobId]);
  if (blob) await database.exclusively(`blob:${blob.sha256}`, (lock) => work(blob.sha256, lock));
}

/**
 * Deletes the bytes of a condemned blob from every store, then its row.
 * @returns false if a put has pardoned the blob, or if a copy is in a store that is not configured now.
 * @throws StoreError of the first store that failed, after all stores were tried. The error of the database
 *   if the lock is lost.
 */
async function deleteBytes(deps: RemoveDeps, lock: HeldLock, blobId: number): Promise<boolean> {
  const [blob] = await lock.query<{ id: number; sha256: string; mimeType: string }>(
    `SELECT b.id, b.sha256, b.mime_type AS "mimeType" FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NOT NULL
       AND ${noReference(deps.references, 'b.id')}`,
    [blobId],
  );
  if (!blob) return false;
  await deps.onRemove(blob.sha256);
  let fault: StoreError | null = null;
  for (const store of deps.stores) {
    try {
      if (!(await deleteCopy({ lock, references: deps.references }, store, blob))) return false;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      fault ??= error;
      await recordError(lock, blob, store.name, error.message);
    }
  }
  if (fault) throw fault;
  const deleted = await lock.query(
    `DELETE FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.blob_id = b.id) RETURNING b.id`,
    [blob.id],
  );
  await deps.database.flush();
  return deleted.length > 0;
}
