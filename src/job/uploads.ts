import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { COMPLETE_GRACE_SECONDS } from '../image/upload/upload-target.ts';
import type { Arrivals } from '../storage/arrivals/arrivals.ts';

/** Days that a completed target is kept, so that a repeated completeUpload returns its image. */
const KEEP_CLOSED_DAYS = 7;
/**
 * Age of an upload without an open target from which on it is removed: one that began in time would have
 * ended.
 */
const LEFTOVER_SECONDS = 60 * 60;
const BATCH = 200;

interface UploadJobDeps {
  readonly database: Database;
  readonly arrivals: readonly Arrivals[];
  readonly log: Logger;
}

/**
 * Removes expired upload targets with their bytes, old completed ones, and bytes that a crash or a late
 * client left.
 */
export async function clearUploads(deps: UploadJobDeps, stop: AbortSignal): Promise<void> {
  await deps.database.exclusively('uploads', async (lock) => {
    // Safe even after the lock is lost: a target is deleted before its bytes, and a closed one is never
    // opened again.
    const signal = AbortSignal.any([stop, lock.signal]);
    const { uploadTarget } = deps.database.prisma;
    const before = (seconds: number) => new Date(Date.now() - seconds * 1000);
    await uploadTarget.deleteMany({ where: { completedAt: { lt: before(KEEP_CLOSED_DAYS * 86_400) } } });

    let expired = 0;
    while (!signal.aborted) {
      const due = { completedAt: null, expiresAt: { lt: before(COMPLETE_GRACE_SECONDS) } };
      const targets = await uploadTarget.findMany({
        where: due,
        orderBy: { expiresAt: 'asc' },
        take: BATCH,
        select: { id: true, kind: true },
      });
      if (targets.length === 0) break;
      for (const { id, kind } of targets) {
        // The row goes first. A concurrent completeUpload has either finished, or finds no target.
        const { count } = await uploadTarget.deleteMany({ where: { id, completedAt: null } });
        expired += count;
        const arrivals = deps.arrivals.find((each) => each.kind === kind);
        if (count > 0 && arrivals) await attempt(deps, arrivals, () => arrivals.remove(id));
      }
    }
    if (expired > 0) deps.log.info({ expired }, 'removed upload targets that were not completed in time');
    for (const arrivals of deps.arrivals)
      await attempt(deps, arrivals, () => clearLeftovers(deps, arrivals, signal));
  });
}

/** Removes uploads that have no open target. */
async function clearLeftovers(deps: UploadJobDeps, arrivals: Arrivals, signal: AbortSignal): Promise<void> {
  let ids: string[] = [];
  const clear = async () => {
    const open = await deps.database.query<{ id: string }>(
      'SELECT id FROM upload_targets WHERE completed_at IS NULL AND id::text = ANY($1)',
      [ids],
    );
    const known = new Set(open.map(({ id }) => id));
    for (const id of ids) if (!known.has(id)) await arrivals.remove(id);
    ids = [];
  };
  for await (const { id, arrivedAt } of arrivals.list()) {
    if (signal.aborted) return;
    if (Date.now() - arrivedAt.getTime() > LEFTOVER_SECONDS * 1000) ids.push(id);
    if (ids.length === BATCH) await clear();
  }
  if (ids.length > 0) await clear();
}

/**
 * Runs work on one storage of uploads. After an error the others are still cleared, and the next run tries
 * again.
 */
async function attempt(deps: UploadJobDeps, arrivals: Arrivals, work: () => Promise<void>): Promise<void> {
  await work().catch((error) =>
    deps.log.warn(
      { err: error, place: arrivals.kind },
      'could not remove uploads that were not completed; the next run tries again',
    ),
  );
}
