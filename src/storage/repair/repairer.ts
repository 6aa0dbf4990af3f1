import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';
import { StoreError } from '../../errors.ts';
import { claimRepairs } from '../copies.ts';
import { isReachable } from '../health.ts';
import type { Outages } from '../outages.ts';
import type { Store } from '../stores/store.ts';
import type { Restoration } from './restore.ts';
import { hastenAll, hastenOne } from './waiting-copies.ts';

/**
 * Repairs behind the answers what is on record as pending, missing or corrupt. The record is the queue: a copy is due when its
 * `retry_at` has come, a try that fails puts it off, and a process that is killed forgets nothing. Any number of servers share it.
 *
 * A store that is away is asked at each look whether it is back. Then one of the copies that wait for it is tried, and when the store has taken that, all
 * others are due: they do not wait until their own time, which may be hours away.
 */
export interface Repairer {
  /** Looks again soon: something was put on record that is due after `seconds`. */
  wake(seconds: number): void;
  /** Looks by itself from now on, every `seconds`. */
  start(seconds: number): void;
  /** Resolves when no repair runs; none begins any more. */
  stop(): Promise<void>;
  /** Resolves when no repair runs. */
  settled(): Promise<void>;
}

const BATCH = 20;

export function makeRepairer(
  deps: { database: Database; stores: readonly Store[]; outages: Outages; log: Logger },
  restore: (blobId: number) => Promise<Restoration>,
): Repairer {
  const { database, outages, log } = deps;
  const names = deps.stores.map((store) => store.name);
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let interval: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;
  let again = false;
  let hastening: Promise<void> = Promise.resolve();
  let stopped = false;

  outages.onEnd((store) => {
    hastening = hastening
      .then(() => hastenAll(database, store))
      .then((count) => {
        if (count > 0) wake(0);
      })
      .catch((error: unknown) =>
        log.error({ err: error, store }, 'could not wake the copies that wait for a store'),
      );
  });

  /** Tries one copy at each store that is away and answers. */
  async function probe(): Promise<void> {
    for (const store of deps.stores) {
      if (stopped || !outages.isAway(store.name) || !(await isReachable(store))) continue;
      const waits = await hastenOne(database, store.name);
      if (!waits) outages.answered(store.name);
    }
  }

  async function repairAll(): Promise<void> {
    await probe().catch((error: unknown) =>
      log.error({ err: error }, 'could not look whether stores are back'),
    );
    do {
      again = false;
      for (let blobs = await claim(); blobs.length > 0 && !stopped; blobs = await claim()) {
        for (const blobId of blobs) {
          if (stopped) return;
          await repair(blobId);
        }
      }
    } while (again && !stopped);
  }

  async function claim(): Promise<number[]> {
    return claimRepairs(database, names, BATCH).catch((error) => {
      log.error({ err: error }, 'could not look for copies to repair');
      return [];
    });
  }

  async function repair(blobId: number): Promise<void> {
    try {
      const { restored, source, failed } = await restore(blobId);
      for (const { store } of restored) {
        log.info({ blobId, store, source }, 'restored a copy');
        outages.answered(store);
      }
      for (const error of failed) note(blobId, error);
    } catch (error) {
      if (error instanceof StoreError) note(blobId, error);
      else log.error({ blobId, err: error }, 'could not restore a blob');
    }
  }

  /** The record of the copy has the reason, and the log that the store is away. */
  function note(blobId: number, error: StoreError): void {
    // A refusal is an answer.
    if (error.retryable) outages.failed(error.store, error);
    else outages.answered(error.store);
    log[error.retryable ? 'debug' : 'warn']({ blobId, err: error }, 'could not restore a copy');
  }

  function wake(seconds: number): void {
    const at = Date.now() + seconds * 1000;
    if (stopped || at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => {
      timerAt = Number.POSITIVE_INFINITY;
      run();
    }, seconds * 1000);
    // A command that has done its work does not stay for a repair that the next server does.
    timer.unref();
  }

  function run(): void {
    if (stopped) return;
    if (running) {
      again = true;
      return;
    }
    running = repairAll().finally(() => {
      running = null;
    });
  }

  return {
    wake,
    start(seconds) {
      for (const { name } of deps.stores) outages.suspect(name);
      run();
      interval = setInterval(run, seconds * 1000);
      interval.unref();
    },
    async settled() {
      await hastening;
      while (running) await running;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      clearInterval(interval);
      while (running) await running;
      await hastening;
    },
  };
}
