import type { Logger } from 'pino';
import type { Verification } from '../../storage/service.ts';
import type { MaintenanceWork } from './execute.ts';
import type { MaintenanceRun } from './run.ts';

/** Reads copies and compares their hashes. */
export const verifyWork: MaintenanceWork = async (
  { storage, log },
  { stores, options },
  { progress, signal },
) => {
  const result = await storage.verify({
    ...options,
    stores,
    orphans: false,
    onProgress: (state) => progress.verified(state, mostOf(state.of, options)),
    onBad: (bad) => progress.foundBad(bad),
    signal,
  });
  logVerification(log, result);
};

/** Returns the number of copies that a verify checks at most, of all copies. */
function mostOf(of: number, { limit = of, percent = 100 }: MaintenanceRun['options']): number {
  return Math.min(limit, Math.ceil((of * percent) / 100));
}

function logVerification(log: Logger, { copies, of, lostCount, stores }: Verification): void {
  const isBad = stores.some((store) => store.missing + store.corrupt + store.unreachable > 0);
  const level = isBad || lostCount > 0 ? 'warn' : 'info';
  log[level]({ copies, of, lost: lostCount, stores }, 'verified copies');
}
