import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { COMPLETE_GRACE_SECONDS } from '../image/upload/upload-target.ts';
import type { Arrivals } from '../storage/arrivals/arrivals.ts';

/** A closed target answers a repeated completeUpload for so long. */
const KEEP_CLOSED_DAYS = 7;
/** What lies there without an open target for so long is nobody's: an upload that was begun in time would have ended. */
const LEFTOVER_SECONDS = 60 * 60;
const BATCH = 200;

interface UploadJobDeps {
  readonly database: Database;
  readonly arrivals: readonly Arrivals[];
  readonly log: Logger;
}

/** Removes what was announced and never completed, its bytes, and bytes that a crash or a late sender left behind. */
export async function clearUploads(deps: UploadJobDeps, stop: AbortSignal): Promise<void> {
  await deps.database.exclusively('uploads', async (lock) => {
    // What it removes is nobody's whoever removes it: a target is deleted before its bytes, and a closed one is never opened again.
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
        // The row first: whoever completes it at this moment either has done so or finds it gone.
        const { count } = await uploadTarget.deleteMany({ where: { id, completedAt: null } });
        expired += count;
        const place = deps.arrivals.find((each) => each.kind === kind);
        if (count > 0 && place) await attempt(deps, place, () => place.remove(id));
      }
    }
    if (expired > 0) deps.log.info({ expired }, 'removed upload targets that were never completed');
    for (const place of deps.arrivals) await attempt(deps, place, () => clearLeftovers(deps, place, signal));
  });
}

async function clearLeftovers(deps: UploadJobDeps, place: Arrivals, signal: AbortSignal): Promise<void> {
  let ids: string[] = [];
  const clear = async () => {
    const open = await deps.database.query<{ id: string }>(
      'SELECT id FROM upload_targets WHERE completed_at IS NULL AND id::text = ANY($1)',
      [ids],
    );
    const known = new Set(open.map(({ id }) => id));
    for (const id of ids) if (!known.has(id)) await place.remove(id);
    ids = [];
  };
  for await (const { id, arrivedAt } of place.list()) {
    if (signal.aborted) return;
    if (Date.now() - arrivedAt.getTime() > LEFTOVER_SECONDS * 1000) ids.push(id);
    if (ids.length === BATCH) await clear();
  }
  if (ids.length > 0) await clear();
}

/** A place that cannot be asked now is asked again by the next run, and keeps no other from being cleared. */
async function attempt(deps: UploadJobDeps, place: Arrivals, work: () => Promise<void>): Promise<void> {
  await work().catch((error) =>
    deps.log.warn(
      { err: error, place: place.kind },
      'could not clear away what arrived and was not completed',
    ),
  );
}
