/**
 * Checks of copies behind the answers. Bytes in the memory cache were proven when they were cached, but their
 * copy in a store may decay. A request for cached bytes therefore schedules a check of the copy, at most one
 * a second for each blob.
 */
import { type Blob, type Copy, copyIn } from '../blob.ts';
import { recordBad, recordProven } from '../copies.ts';
import type { RepairerAlarm, StorageDeps } from '../deps.ts';
import type { Store } from '../stores/store.ts';
import { examineCopy } from './examine.ts';
import { recordOrLog } from './record-or-log.ts';

export interface CopyChecks {
  /** Schedules a check of the first healthy copy of a blob. */
  checkSoon(blob: Blob): void;
  /**
   * Examines a copy now. A bad copy is recorded, evicted from the memory cache and scheduled for repair.
   * @returns whether the copy is healthy.
   */
  checkCopy(store: Store, blob: Blob, copy: Copy): Promise<boolean>;
  /** Resolves when no check runs. */
  settled(): Promise<void>;
  /** Cancels scheduled checks; resolves when no check runs. */
  stop(): Promise<void>;
}

type CheckDeps = Pick<StorageDeps, 'database' | 'stores' | 'memoryCache' | 'healDelaySeconds' | 'log'> &
  RepairerAlarm;

const CHECK_EVERY_MS = 1000;
/** With more entries than this, blobs that were not requested within CHECK_EVERY_MS are removed. */
const MAX_ENTRIES = 10_000;

export function makeCopyChecks(deps: CheckDeps): CopyChecks {
  /** The last check of each blob and the timer of the next, by SHA-256. The number of hot blobs bounds it. */
  const checks = new Map<string, { at: number; timer: NodeJS.Timeout | null }>();
  const running = new Set<Promise<void>>();
  let isStopped = false;

  function checkSoon(blob: Blob): void {
    const check = checks.get(blob.sha256);
    if (check?.timer || isStopped) return;
    const wait = check ? Math.max(0, check.at + CHECK_EVERY_MS - Date.now()) : CHECK_EVERY_MS;
    const timer = setTimeout(() => {
      const work = checkBlob(blob)
        .catch((error: unknown) => deps.log.error({ err: error }, 'could not check a copy of a cached blob'))
        .finally(() => running.delete(work));
      running.add(work);
    }, wait);
    timer.unref();
    checks.set(blob.sha256, { at: check?.at ?? 0, timer });
  }

  async function checkBlob(blob: Blob): Promise<void> {
    const first = firstHealthyCopy(deps.stores, blob);
    checks.delete(blob.sha256);
    if (!first || isStopped) return;
    await checkCopy(first.store, blob, first.copy);
    // A request during the check has scheduled the next one already.
    if (!checks.has(blob.sha256)) checks.set(blob.sha256, { at: Date.now(), timer: null });
    if (checks.size > MAX_ENTRIES) forgetOldChecks();
  }

  async function checkCopy(store: Store, blob: Blob, copy: Copy): Promise<boolean> {
    const finding = await examineCopy(store, blob, copy);
    if (finding.state === 'UNREACHABLE') return false;
    if (finding.state === 'STORED') {
      if (finding.read) await recordOrLog(deps, () => recordProven(deps.database, blob, copy, finding.stat));
      return true;
    }
    deps.memoryCache.forget(blob.sha256);
    deps.log.warn({ store: store.name, sha256: blob.sha256, state: finding.state }, finding.error);
    await recordOrLog(deps, () => recordBad(deps.database, blob, copy, finding, deps.healDelaySeconds));
    deps.wakeRepairer(deps.healDelaySeconds);
    return false;
  }

  function forgetOldChecks(): void {
    const before = Date.now() - CHECK_EVERY_MS;
    for (const [sha256, { at, timer }] of checks) if (!timer && at < before) checks.delete(sha256);
  }

  async function settled(): Promise<void> {
    while (running.size > 0) await Promise.all(running);
  }

  return {
    checkSoon,
    checkCopy,
    settled,
    async stop() {
      isStopped = true;
      for (const { timer } of checks.values()) if (timer) clearTimeout(timer);
      await settled();
    },
  };
}

/** Returns the first store in read order that has a healthy copy on record. */
export function firstHealthyCopy(stores: readonly Store[], blob: Blob): { store: Store; copy: Copy } | null {
  for (const store of stores) {
    const copy = copyIn(store, blob);
    if (copy?.state === 'STORED') return { store, copy };
  }
  return null;
}
