import type { Database, HeldLock, PrismaTransaction } from '../database/database.ts';
import { isDatabaseAway } from '../database/driver/errors.ts';
import { StoreError } from '../errors.ts';
import { recordError } from './copies.ts';
import { clearRetiredKeys, deleteCopy } from './retired-keys.ts';
import type { StorageDeps } from './service.ts';

/**
 * How bytes leave. Whoever keeps a blob ends that in a transaction, which condemns the blob when nothing refers to it any more; only then
 * do its bytes go, store by store, each copy off the record once it is gone, and the blob's own row last. All of it happens under the lock
 * of the blob, which `put` holds as well: a put of the same bytes pardons it before or after, never in between. Where the lock is lost meanwhile, the
 * next statement fails and nothing more is deleted (retired-keys.ts says what becomes of a deletion that is on its way). A crash at any
 * point leaves a condemned blob, which is the queue: the next run goes on from there.
 */

type RemoveDeps = Pick<StorageDeps, 'database' | 'stores' | 'onForget' | 'onRemove' | 'outages' | 'log'>;

/** By itself, so that the next statement sees what was committed by whoever had the row. */
const LOCK_BLOB = 'SELECT 1 FROM blobs WHERE id = $1 FOR UPDATE';
const CONDEMN = `UPDATE blobs SET condemned_at = now() WHERE id = $1
  AND NOT EXISTS (SELECT 1 FROM generated_images i WHERE i.blob_id = $1) RETURNING id`;

/** See Storage.remove. */
export async function remove(
  deps: RemoveDeps,
  blobId: number,
  forget: (transaction: PrismaTransaction) => Promise<void>,
): Promise<void> {
  await underLock(deps.database, blobId, async (sha256, lock) => {
    const condemned = await deps.database.prismaTransaction(async (transaction) => {
      await forget(transaction);
      await transaction.$queryRawUnsafe(LOCK_BLOB, blobId);
      return (await transaction.$queryRawUnsafe<unknown[]>(CONDEMN, blobId)).length > 0;
    });
    deps.onForget(blobId);
    await deps.database.flush();
    if (!condemned) return;
    // What is on record by now is done in any case; bytes that cannot be removed at once are removed by a later run.
    await removeBytes(deps, lock, blobId).catch((error) => noteLeft(deps, sha256, error));
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
      await underLock(deps.database, id, async (sha256, lock) => {
        try {
          const gone = await removeBytes(deps, lock, id);
          tally[gone ? 'removed' : 'left']++;
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          tally.left++;
          noteLeft(deps, sha256, error);
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

/** That a store or the database is away the log says once, whatever was not deleted meanwhile. */
function noteLeft({ outages, log }: RemoveDeps, sha256: string, error: unknown): void {
  const isAway = error instanceof StoreError && error.retryable;
  if (isAway) outages.failed(error.store, error);
  log[isAway || isDatabaseAway(error) ? 'debug' : 'warn'](
    { sha256, err: error },
    'could not remove all bytes of a blob yet',
  );
}

async function underLock(
  database: Database,
  blobId: number,
  work: (sha256: string, lock: HeldLock) => Promise<void>,
): Promise<void> {
  const [blob] = await database.query<{ sha256: string }>('SELECT sha256 FROM blobs WHERE id = $1', [blobId]);
  if (blob) await database.exclusively(`blob:${blob.sha256}`, (lock) => work(blob.sha256, lock));
}

/**
 * Removes the bytes of a condemned blob from every store, and its record with the last of them.
 * @returns whether all is gone: false where a put has pardoned the blob, or where a copy lies in a store that is not configured now.
 * @throws StoreError of the first store that could not be asked; the others have been. Whatever a statement throws when the lock is lost.
 */
async function removeBytes(deps: RemoveDeps, lock: HeldLock, blobId: number): Promise<boolean> {
  const [blob] = await lock.query<{ id: number; sha256: string; mimeType: string }>(
    `SELECT b.id, b.sha256, b.mime_type AS "mimeType" FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM generated_images i WHERE i.blob_id = b.id)`,
    [blobId],
  );
  if (!blob) return false;
  await deps.onRemove(blob.sha256);
  let fault: StoreError | null = null;
  for (const store of deps.stores) {
    try {
      if (!(await deleteCopy(lock, store, blob))) return false;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      fault ??= error;
      await recordError(lock, blob, store.name, error.message);
    }
  }
  if (fault) throw fault;
  const gone = await lock.query(
    `DELETE FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.blob_id = b.id) RETURNING b.id`,
    [blob.id],
  );
  await deps.database.flush();
  return gone.length > 0;
}
