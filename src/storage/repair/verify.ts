import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../../database/database.ts';
import type { Blob, Copy } from '../blob.ts';
import { recordBad, recordError, recordProven, recordSeen } from '../copies.ts';
import { examine } from '../read/examine.ts';
import type { StorageDeps } from '../service.ts';
import { DEFAULT_MAX_MISSING_PERCENT, guardAgainstLoss } from './loss-limit.ts';
import { findOrphans, type Orphan } from './orphans.ts';
import { countBesideRun, recordRun } from './verify-runs.ts';

/**
 * Looks at copies and records what it finds; repairs nothing. It begins with those that were not looked at for the longest time, so that
 * runs of a small budget come round to every copy, and a run that was broken off goes on where it stopped.
 */
export interface VerifyOptions {
  /** true (the default): read every byte and compare the hash; false: only whether it is there with its length. */
  readonly deep?: boolean;
  /** Names of the stores to look into; all without it. */
  readonly stores?: readonly string[];
  /** Budgets; the first one that is used up ends the run. */
  readonly limit?: number;
  readonly seconds?: number;
  /** Of all copies. */
  readonly percent?: number;
  readonly maxBytesPerSecond?: number;
  /** Stops the run when more than so many percent of a store's copies are missing; 10 without it. */
  readonly maxMissingPercent?: number;
  /** Also list the stores for what is on no record. Default: true for a run without a budget. */
  readonly orphans?: boolean;
  /** Whether the next run counts what is healed from this one on. Default: true. */
  readonly records?: boolean;
  readonly onProgress?: (progress: { copies: number; of: number; bytes: number }) => void;
  /** Called for each copy that is not right. */
  readonly onBad?: (bad: BadCopy) => void;
  readonly onOrphan?: (orphan: Orphan) => void;
  readonly signal?: AbortSignal;
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
  /** Copies that were looked at, and how many there are. */
  readonly copies: number;
  readonly of: number;
  /** Whether every copy was looked at, rather than a budget used up. */
  readonly complete: boolean;
  /** Blobs of which no healthy copy is on record any more: how many, and the first thousand. */
  readonly lostCount: number;
  readonly lost: readonly string[];
  /** In read order. */
  readonly stores: readonly VerifiedStore[];
}

export interface VerifiedStore {
  readonly store: string;
  right: number;
  missing: number;
  corrupt: number;
  /** Copies that were not yet made, and were not found either. */
  pending: number;
  /** Copies of which nothing can be said, because the store could not be asked. */
  unreachable: number;
  /** Objects that are on no record; null when they were not looked for. */
  orphans: number | null;
  bytes: number;
  /** Copies that were healed since the run before, and those that are to be removed and are still there. */
  healed: number;
  condemned: number;
}

type VerifyDeps = Pick<StorageDeps, 'database' | 'stores' | 'healDelaySeconds'>;

export async function verify(deps: VerifyDeps, options: VerifyOptions = {}): Promise<Verification> {
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
  for await (const { blob, copy } of walkCopies(deps.database, { names, deep, signal: options.signal })) {
    if (copies >= limit || Date.now() >= deadline) {
      complete = false;
      break;
    }
    const store = stores.find((each) => each.name === copy.store);
    const tally = tallies.get(copy.store);
    if (!store || !tally) continue;
    const finding = await examine(store, blob, copy, { deep });
    copies++;
    if (finding.state === 'STORED') {
      if (finding.read || copy.state !== 'STORED')
        await recordProven(deps.database, blob, copy, finding.stat);
      else await recordSeen(deps.database, blob, store.name);
      tally.right++;
      if (finding.read) {
        tally.bytes += finding.stat.bytes;
        bytes += finding.stat.bytes;
      }
    } else {
      if (finding.state === 'UNREACHABLE') {
        tally.unreachable++;
        if (copy.state !== 'STORED')
          await recordError(deps.database, blob, store.name, finding.error.message);
      } else if (finding.state === 'MISSING' && copy.state === 'PENDING') {
        tally.pending++;
        await recordSeen(deps.database, blob, store.name);
        continue;
      } else {
        // One that was purged or restored since it was looked up is not bad.
        if (!(await recordBad(deps.database, blob, copy, finding, deps.healDelaySeconds))) continue;
        tally[finding.state === 'MISSING' ? 'missing' : 'corrupt']++;
      }
      const error = finding.state === 'UNREACHABLE' ? finding.error.message : finding.error;
      options.onBad?.({ store: store.name, sha256: blob.sha256, key: copy.key, state: finding.state, error });
      const missing = {
        what: 'missing',
        count: tally.missing,
        of: totals.get(store.name) ?? 0,
        store: store.name,
      };
      guardAgainstLoss(missing, maxMissingPercent);
    }
    options.onProgress?.({ copies, of, bytes });
    await slowDown(begun, bytes, options);
  }

  const bounded =
    options.limit !== undefined || options.seconds !== undefined || options.percent !== undefined;
  if (options.orphans ?? !bounded) {
    for (const store of stores) {
      const tally = tallies.get(store.name) as VerifiedStore;
      tally.orphans = 0;
      // A store that cannot be listed has said so for each of its copies already.
      try {
        for await (const orphan of findOrphans(deps.database, store)) {
          tally.orphans++;
          options.onOrphan?.(orphan);
        }
      } catch {
        tally.orphans = null;
      }
    }
  }
  // After the walk: what it found healthy again is healed, too.
  for (const [store, counts] of await countBesideRun(deps.database, names))
    Object.assign(tallies.get(store) as VerifiedStore, counts);
  if (now && options.records !== false) await recordRun(deps.database, names, now.now);
  return { deep, copies, of, complete, ...(await findLost(deps.database)), stores: [...tallies.values()] };
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

async function findLost(db: Queryable): Promise<{ lostCount: number; lost: string[] }> {
  const rows = await db.query<{ sha256: string; count: number }>(
    `SELECT b.sha256, count(*) OVER () AS count FROM blobs b
     WHERE NOT EXISTS (SELECT 1 FROM copies c WHERE c.blob_id = b.id AND c.state = 'STORED')
       AND b.condemned_at IS NULL ORDER BY b.id LIMIT 1000`,
  );
  return { lostCount: rows[0]?.count ?? 0, lost: rows.map((row) => row.sha256) };
}

/** Keeps the reading below a rate, so that verifying does not take the disk from serving. */
async function slowDown(begun: number, bytes: number, options: VerifyOptions): Promise<void> {
  if (!options.maxBytesPerSecond) return;
  const ahead = (bytes / options.maxBytesPerSecond) * 1000 - (Date.now() - begun);
  if (ahead > 10) await sleep(ahead, undefined, options.signal ? { signal: options.signal } : {});
}

const PAGE = 200;

interface CopyToVerify {
  readonly blob: Pick<Blob, 'id' | 'sha256' | 'bytes' | 'mimeType'>;
  readonly copy: Copy;
}

/** Every copy that was not looked at since the walk began, the one that was not for the longest time first. */
export async function* walkCopies(
  db: Queryable,
  options: { names: readonly string[]; deep: boolean; signal: AbortSignal | undefined },
): AsyncGenerator<CopyToVerify> {
  const column = `coalesce(c.${options.deep ? 'checked_at' : 'seen_at'}, '-infinity'::timestamptz)`;
  const [now] = await db.query<{ now: string }>('SELECT now()::text AS now');
  let after = { at: '-infinity', id: 0, store: '' };
  for (;;) {
    const rows = await db.query<
      Copy & { id: number; sha256: string; bytes: number; mimeType: string; at: string }
    >(
      `SELECT ${column}::text AS at, b.id, b.sha256, b.bytes, b.mime_type AS "mimeType", c.store, c.state, c.key, c.fingerprint
       FROM copies c JOIN blobs b ON b.id = c.blob_id
       WHERE (${column}, c.blob_id, c.store) > ($1::timestamptz, $2::bigint, $3::text) AND ${column} < $4::timestamptz
         AND c.store = ANY($5::text[]) AND c.state <> 'TOO_LARGE' AND b.condemned_at IS NULL
       ORDER BY ${column}, c.blob_id, c.store LIMIT ${PAGE}`,
      [after.at, after.id, after.store, now?.now, options.names],
    );
    for (const { id, sha256, bytes, mimeType, at: _at, ...copy } of rows) {
      options.signal?.throwIfAborted();
      yield { blob: { id, sha256, bytes, mimeType }, copy };
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = { at: last.at, id: last.id, store: last.store };
  }
}
