import type { Database } from '../../../database/database.ts';
import { LOOK_AGAIN_SECONDS } from './next-step.ts';

/** Watches workers with other directories, by the locks that they hold in the database. */
export interface MissingWorkers {
  /** Returns for how many seconds this process has seen a worker missing; null: the worker is there. */
  secondsMissing(workerId: string): Promise<number | null>;
}

export function makeMissingWorkers(database: Database): MissingWorkers {
  /** When each worker was first and last seen missing, in milliseconds of performance.now(). */
  const missing = new Map<string, { since: number; seen: number }>();

  return {
    async secondsMissing(workerId) {
      const now = performance.now();
      if (await database.isAnnounced(workerId)) {
        missing.delete(workerId);
        return null;
      }
      const before = missing.get(workerId);
      // Between two looks that are far apart the worker may have been there.
      const since = before && now - before.seen < 2 * LOOK_AGAIN_SECONDS * 1000 ? before.since : now;
      missing.set(workerId, { since, seen: now });
      return (now - since) / 1000;
    },
  };
}
