import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { claimRepairs } from './copies.ts';
import type { Restoration } from './restore.ts';

/**
 * Repairs behind the answers what is on record as pending, missing or corrupt. The record is the queue: a copy is due when its
 * `retry_at` has come, a try that fails puts it off, and a process that is killed forgets nothing. Any number of servers share it.
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
  deps: { database: Database; stores: readonly { name: string }[]; log: Logger },
  restore: (blobId: number) => Promise<Restoration>,
): Repairer {
  const { database, log } = deps;
  const names = deps.stores.map((store) => store.name);
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let interval: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;

  async function repairAll(): Promise<void> {
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
      for (const { store } of restored) log.info({ blobId, store, source }, 'restored a copy');
      for (const error of failed) log.warn({ blobId, err: error }, 'could not restore a copy');
    } catch (error) {
      log.error({ blobId, err: error }, 'could not restore a blob');
    }
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
    wake(seconds) {
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
    },
    start(seconds) {
      run();
      interval = setInterval(run, seconds * 1000);
      interval.unref();
    },
    async settled() {
      while (running) await running;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      clearInterval(interval);
      while (running) await running;
    },
  };
}
