import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../../database/database.ts';
import { recordBad, recordError, recordProven, recordSeen } from '../copies.ts';
import type { StorageDeps } from '../deps.ts';
import { examineCopy, type Finding } from '../read/examine.ts';
import type { Store } from '../stores/store.ts';
import { DEFAULT_MAX_MISSING_PERCENT, requireFewMissing } from './loss-limit.ts';
import { findOrphans, type Orphan } from './orphans.ts';
import { readRecordCounts, recordVerifyRun } from './verify-runs.ts';
import { type CopyToVerify, walkCopies } from './walk-copies.ts';

/**
 * Verify examines copies and records what it finds; it repairs nothing. It begins with the copies that were
 * examined longest ago. Runs with a small budget therefore reach every copy, and a run continues where an
 * interrupted one stopped.
 */
export interface VerifyOptions {
  /**
   * Whether to read every byte and compare the hash, instead of length and fingerprint only. Default: true.
   */
  readonly deep?: boolean;
  /** Names of the stores to examine. Default: all. */
  readonly stores?: readonly string[];
  /**
   * Budgets: copies, seconds, percent of all copies. The first that is used up ends the run. Default: none.
   */
  readonly limit?: number;
  readonly seconds?: number;
  readonly percent?: number;
  /** Limit of the read rate. Default: none. */
  readonly maxBytesPerSecond?: number;
  /** Stops the run if more than this percentage of the copies in a store is missing. Default: 10. */
  readonly maxMissingPercent?: number;
  /** Whether to list the stores for orphans. Default: true for a run without a budget. */
  readonly orphans?: boolean;
  /** Whether to record the run, so that the next one counts repairs since this one. Default: true. */
  readonly records?: boolean;
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Called for each copy that is not healthy. */
  readonly onBad?: (bad: BadCopy) => void;
  readonly onOrphan?: (orphan: Orphan) => void;
  readonly signal?: AbortSignal;
}

export interface VerifyProgress {
  readonly copies: number;
  readonly of: number;
  readonly bytes: number;
  /** Live tallies of the run. */
  readonly stores: Iterable<Readonly<VerifiedStore>>;
}

export interface BadCopy {
  readonly store: string;
  readonly sha256: string;
  readonly key: string;
  readonly state: 'MISSING' | 'CORRUPT' | 'UNREACHABLE';
  readonly error: string;
}

export interface Verification {
  readonly deep: boolean;
  /** Number of examined copies, and of all copies. */
  readonly copies: number;
  readonly of: number;
  /** Whether every copy was examined; false if a budget ended the run. */
  readonly complete: boolean;
  /** Blobs without a healthy copy on record: their number, and the first 1,000. */
  readonly lostCount: number;
  readonly lost: readonly string[];
  /** In read order. */
  readonly stores: readonly VerifiedStore[];
}

export interface VerifiedStore {
  readonly store: string;
  /** Healthy copies. */
  right: number;
  missing: number;
  corrupt: number;
  /** Copies that are not made yet. */
  pending: number;
  /** Copies that could not be examined, because the store could not be asked. */
  unreachable: number;
  /** Objects that are not on record; null if they were not counted. */
  orphans: number | null;
  /** Bytes that were read. */
  bytes: number;
  /** See RecordCounts. */
  healed: number;
  condemned: number;
}

type VerifyDeps = Pick<StorageDeps, 'database' | 'stores' | 'healDelaySeconds'>;

/** See Storage.verify. */
export async function verifyCopies(deps: VerifyDeps, options: VerifyOptions = {}): Promise<Verification> {
  const { deep = true, maxMissingPercent = DEFAULT_MAX_MISSING_PERCENT } = options;
  const stores = deps.stores.filter((store) => !options.stores || options.stores.includes(store.name));
  const names = stores.map((store) => store.name);
  const tallies = new Map<string, VerifiedStore>(names.map((store) => [store, emptyTally(store)]));
  const totals = await countCopies(deps.database, names);
  const [now] = await deps.database.query<{ now: string }>('SELECT now()::text AS now');
  const of = [...totals.values()].reduce((sum, count) => sum + count, 0);
  const limit = Math.min(options.limit ?? of, Math.ceil((of * (options.percent ?? 100)) / 100));
  const begun = Date.now();
  const deadline = begun + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;

  let copies = 0;
  let bytes = 0;
  let complete = true;
  for await (const subject of walkCopies(deps.database, { names, deep, signal: options.signal })) {
    if (copies >= limit || Date.now() >= deadline) {
      complete = false;
      break;
    }
    const store = stores.find((each) => each.name === subject.copy.store);
    const tally = tallies.get(subject.copy.store);
    if (!store || !tally) continue;
    const finding = await examineCopy(store, subject.blob, subject.copy, { deep });
    copies++;
    if (finding.state === 'STORED') {
      bytes += await noteHealthy(deps, subject, finding, tally);
    } else {
      const bad = await noteBad(deps, subject, finding, tally);
      if (!bad) continue;
      options.onBad?.(bad);
    }
    options.onProgress?.({ copies, of, bytes, stores: tallies.values() });
    if (finding.state === 'MISSING') {
      const missing = { what: 'missing', count: tally.missing, of: totals.get(store.name) ?? 0 };
      requireFewMissing({ ...missing, store: store.name }, maxMissingPercent);
    }
    await limitRate(begun, bytes, options);
  }

  if (options.orphans ?? !hasBudget(options)) await countOrphans(deps.database, stores, tallies, options);
  // Read after the walk, so that copies which the walk has found healthy again count as healed.
  for (const [store, counts] of await readRecordCounts(deps.database, names))
    Object.assign(tallies.get(store) as VerifiedStore, counts);
  if (now && options.records !== false) await recordVerifyRun(deps.database, names, now.now);
  return {
    deep,
    copies,
    of,
    complete,
    ...(await findLostBlobs(deps.database)),
    stores: [...tallies.values()],
  };
}

function hasBudget({ limit, seconds, percent }: VerifyOptions): boolean {
  return limit !== undefined || seconds !== undefined || percent !== undefined;
}

/** @returns the number of bytes that were read. */
async function noteHealthy(
  { database }: VerifyDeps,
  { blob, copy }: CopyToVerify,
  finding: Extract<Finding, { state: 'STORED' }>,
  tally: VerifiedStore,
): Promise<number> {
  if (finding.read || copy.state !== 'STORED') await recordProven(database, blob, copy, finding.stat);
  else await recordSeen(database, blob, copy.store);
  tally.right++;
  if (!finding.read) return 0;
  tally.bytes += finding.stat.bytes;
  return finding.stat.bytes;
}

/** @returns the report on the copy; null if it is pending, or was purged or restored since it was read. */
async function noteBad(
  { database, healDelaySeconds }: VerifyDeps,
  { blob, copy }: CopyToVerify,
  finding: Exclude<Finding, { state: 'STORED' }>,
  tally: VerifiedStore,
): Promise<BadCopy | null> {
  const report = { store: copy.store, sha256: blob.sha256, key: copy.key, state: finding.state };
  if (finding.state === 'UNREACHABLE') {
    const error = finding.error.message;
    tally.unreachable++;
    if (copy.state !== 'STORED') await recordError(database, blob, copy.store, error);
    return { ...report, error };
  }
  if (finding.state === 'MISSING' && copy.state === 'PENDING') {
    tally.pending++;
    await recordSeen(database, blob, copy.store);
    return null;
  }
  if (!(await recordBad(database, blob, copy, finding, healDelaySeconds))) return null;
  tally[finding.state === 'MISSING' ? 'missing' : 'corrupt']++;
  return { ...report, error: finding.error };
}

async function countOrphans(
  db: Queryable,
  stores: readonly Store[],
  tallies: ReadonlyMap<string, VerifiedStore>,
  { onOrphan }: VerifyOptions,
): Promise<void> {
  for (const store of stores) {
    const tally = tallies.get(store.name) as VerifiedStore;
    tally.orphans = 0;
    // A store that cannot be listed was reported for each of its copies already.
    try {
      for await (const orphan of findOrphans(db, store)) {
        tally.orphans++;
        onOrphan?.(orphan);
      }
    } catch {
      tally.orphans = null;
    }
  }
}

function emptyTally(store: string): VerifiedStore {
  return {
    store,
    right: 0,
    missing: 0,
    corrupt: 0,
    pending: 0,
    unreachable: 0,
    orphans: null,
    bytes: 0,
    healed: 0,
    condemned: 0,
  };
}

async function countCopies(db: Queryable, names: readonly string[]): Promise<Map<string, number>> {
  const rows = await db.query<{ store: string; count: number }>(
    `SELECT store, count(*) FROM copies WHERE store = ANY($1::text[]) AND state <> 'TOO_LARGE' GROUP BY store`,
    [names],
  );
  return new Map(rows.map((row) => [row.store, row.count]));
}

/** Finds blobs without a healthy copy on record. */
async function findLostBlobs(db: Queryable): Promise<{ lostCount: number; lost: string[] }> {
  const rows = await db.query<{ sha256: string; count: number }>(
    `SELECT b.sha256, count(*) OVER () AS count FROM blobs b
     WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.blob_id = b.id AND c.state = 'STORED')
       AND b.condemned_at IS NULL ORDER BY b.id LIMIT 1000`,
  );
  return { lostCount: rows[0]?.count ?? 0, lost: rows.map((row) => row.sha256) };
}

/** Waits so that the read rate stays below the limit, which leaves the disk to requests. */
async function limitRate(begun: number, bytes: number, options: VerifyOptions): Promise<void> {
  if (!options.maxBytesPerSecond) return;
  const ahead = (bytes / options.maxBytesPerSecond) * 1000 - (Date.now() - begun);
  if (ahead > 10) await sleep(ahead, undefined, options.signal ? { signal: options.signal } : {});
}
