import { probeAwayStores, type RepairDeps, repairDueCopies } from './repair-round.ts';
import { hastenAll } from './waiting-copies.ts';

/**
 * Repairs copies in the background that are on record as pending, missing or corrupt. The record is the
 * queue: a copy is due at its `retry_at`, a failed try postpones it, and a killed process loses nothing. Any
 * number of servers share it.
 *
 * Each round probes the stores that are away. When one answers, a single waiting copy is tried. After it
 * succeeds, all other waiting copies of the store become due at once instead of hours later.
 */
export interface Repairer {
  /** Starts a round after `seconds`, unless one starts sooner. */
  wake(seconds: number): void;
  /** Starts a round now, and then every `seconds`. */
  start(seconds: number): void;
  /** Starts no more repairs; resolves when none runs. */
  stop(): Promise<void>;
  /** Resolves when no repair runs. */
  settled(): Promise<void>;
}

export function makeRepairer(deps: RepairDeps): Repairer {
  const { outages } = deps;
  let interval: NodeJS.Timeout | undefined;
  let isStopped = false;
  const rounds = makeRounds(deps, () => isStopped);
  const alarm = makeAlarm(rounds.run);
  const wake = (seconds: number) => {
    if (!isStopped) alarm.set(seconds);
  };
  const hastening = hastenAfterOutages(deps, wake);
  return {
    wake,
    start(seconds) {
      for (const { name } of deps.stores) outages.suspect(name);
      rounds.run();
      interval = setInterval(rounds.run, seconds * 1000);
      interval.unref();
    },
    async settled() {
      await hastening.settled();
      await rounds.settled();
    },
    async stop() {
      isStopped = true;
      alarm.clear();
      clearInterval(interval);
      await rounds.settled();
      await hastening.settled();
    },
  };
}

/** Runs one round at a time. A call during a round makes it look for due copies once more. */
function makeRounds(deps: RepairDeps, isStopped: () => boolean) {
  let running: Promise<void> | null = null;
  let isRequested = false;

  async function runRound(): Promise<void> {
    await probeAwayStores(deps, isStopped);
    do {
      isRequested = false;
      await repairDueCopies(deps, isStopped);
    } while (isRequested && !isStopped());
  }

  return {
    run(): void {
      if (isStopped()) return;
      if (running) {
        isRequested = true;
        return;
      }
      running = runRound().finally(() => {
        running = null;
      });
    },
    async settled(): Promise<void> {
      while (running) await running;
    },
  };
}

/** A timer that keeps the earliest of the times that it is set to. */
function makeAlarm(ring: () => void) {
  let timer: NodeJS.Timeout | undefined;
  let ringsAt = Number.POSITIVE_INFINITY;
  return {
    set(seconds: number): void {
      const at = Date.now() + seconds * 1000;
      if (at >= ringsAt) return;
      clearTimeout(timer);
      ringsAt = at;
      timer = setTimeout(() => {
        ringsAt = Number.POSITIVE_INFINITY;
        ring();
      }, seconds * 1000);
      // A command does not stay for a repair that the next server does.
      timer.unref();
    },
    clear: () => clearTimeout(timer),
  };
}

/** Makes the waiting copies of a store due as soon as its outage ends. */
function hastenAfterOutages({ database, outages, log }: RepairDeps, wake: (seconds: number) => void) {
  let hastening: Promise<void> = Promise.resolve();
  outages.onEnd((store) => {
    hastening = hastening
      .then(() => hastenAll(database, store))
      .then((count) => {
        if (count > 0) wake(0);
      })
      .catch((error: unknown) =>
        log.error({ err: error, store }, 'could not make the waiting copies of a store due'),
      );
  });
  return { settled: () => hastening };
}
