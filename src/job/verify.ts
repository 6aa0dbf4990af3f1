import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import type { Storage } from '../storage/service.ts';

/**
 * Runs a scheduled `verify`, with limits on time and bandwidth. One server at a time runs it; the repairer
 * repairs what it finds.
 */
export async function runScheduledVerify(
  deps: { readonly database: Database; readonly storage: Storage; readonly log: Logger },
  limits: { readonly seconds: number; readonly maxBytesPerSecond: number },
  stop: AbortSignal,
): Promise<void> {
  await deps.database.exclusively('verify', async (lock) => {
    const signal = AbortSignal.any([stop, lock.signal]);
    const result = await deps.storage.verify({ deep: true, orphans: false, ...limits, signal });
    const bad = result.stores.some((store) => store.missing + store.corrupt + store.unreachable > 0);
    const level = bad || result.lostCount > 0 ? 'warn' : 'info';
    deps.log[level](
      { copies: result.copies, of: result.of, lost: result.lostCount, stores: result.stores },
      'verified copies',
    );
  });
}
