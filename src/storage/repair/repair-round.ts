import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';
import { StoreError } from '../../errors.ts';
import { claimRepairs } from '../copies.ts';
import { isReachable } from '../health.ts';
import type { Outages } from '../outages.ts';
import type { Store } from '../stores/store.ts';
import type { Restoration } from './restore.ts';
import { hastenOne } from './waiting-copies.ts';

export interface RepairDeps {
  readonly database: Database;
  readonly stores: readonly Store[];
  readonly outages: Outages;
  readonly log: Logger;
  restore(blobId: number): Promise<Restoration>;
}

/** Copies claimed at once. */
const BATCH = 20;

/**
 * Makes one waiting copy due in each store that is away and answers a probe. Logs errors.
 * @param isStopped ends it early.
 */
export async function probeAwayStores(deps: RepairDeps, isStopped: () => boolean): Promise<void> {
  await probeStores(deps, isStopped).catch((error: unknown) =>
    deps.log.error({ err: error }, 'could not test whether stores are back'),
  );
}

async function probeStores(
  { database, stores, outages }: RepairDeps,
  isStopped: () => boolean,
): Promise<void> {
  for (const store of stores) {
    if (isStopped() || !outages.isAway(store.name) || !(await isReachable(store))) continue;
    const isWaiting = await hastenOne(database, store.name);
    if (!isWaiting) outages.answered(store.name);
  }
}

/** Repairs all copies that are due. @param isStopped ends it early. */
export async function repairDueCopies(deps: RepairDeps, isStopped: () => boolean): Promise<void> {
  for (let blobs = await claim(deps); blobs.length > 0 && !isStopped(); blobs = await claim(deps)) {
    for (const blobId of blobs) {
      if (isStopped()) return;
      await repairBlob(deps, blobId);
    }
  }
}

async function claim({ database, stores, log }: RepairDeps): Promise<number[]> {
  const names = stores.map((store) => store.name);
  return claimRepairs(database, names, BATCH).catch((error) => {
    log.error({ err: error }, 'could not claim copies to repair');
    return [];
  });
}

async function repairBlob(deps: RepairDeps, blobId: number): Promise<void> {
  const { outages, log } = deps;
  try {
    const { restored, source, failed } = await deps.restore(blobId);
    for (const { store } of restored) {
      log.info({ blobId, store, source }, 'restored a copy');
      outages.answered(store);
    }
    for (const error of failed) noteFailure(deps, blobId, error);
  } catch (error) {
    if (error instanceof StoreError) noteFailure(deps, blobId, error);
    else log.error({ blobId, err: error }, 'could not restore a blob');
  }
}

/** Logs an outage at `debug` only: it has its own log line, and the copy has the reason on record. */
function noteFailure({ outages, log }: RepairDeps, blobId: number, error: StoreError): void {
  // A refusal shows that the store answers.
  if (error.retryable) outages.failed(error.store, error);
  else outages.answered(error.store);
  log[error.retryable ? 'debug' : 'warn']({ blobId, err: error }, 'could not restore a copy');
}
