import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import type { Storage } from '../storage/service.ts';

/** The scheduled run of `verify`: one server at a time, for a bounded time, slowly; what it finds is repaired by the repairer. */
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
