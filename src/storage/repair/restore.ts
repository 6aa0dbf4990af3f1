import type { HeldLock } from '../../database/database.ts';
import { FixativeError, StoreError } from '../../errors.ts';
import { type Blob, copyIn, findBlob } from '../blob.ts';
import { recordBad, recordError, recordPending, recordStored, recordTooLarge } from '../copies.ts';
import type { StorageDeps } from '../deps.ts';
import { checkedSource, examineCopy, type Finding } from '../read/examine.ts';
import { findRetiredKeys, keyFor, type RetiredKeys } from '../retired-keys.ts';
import { formatBytes } from '../spool/format-bytes.ts';
import type { Spool } from '../spool/spool.ts';
import type { Store } from '../stores/store.ts';

export interface Restoration {
  /** Copies that were made; on a dry run, those that would be. */
  readonly restored: readonly { store: string; bytes: number }[];
  /** Store that they were made from; null if none was needed. */
  readonly source: string | null;
  /** Errors of copies that could not be made. */
  readonly failed: readonly StoreError[];
}

export interface RestoreOptions {
  /** Names of the stores to restore into. Default: all. */
  readonly stores?: readonly string[];
  /** Read every copy, whatever its fingerprint. Default: false. */
  readonly deep?: boolean;
  /** Examine without writing to any store. Default: false. */
  readonly dryRun?: boolean;
}

type RestoreDeps = Pick<StorageDeps, 'database' | 'stores' | 'spooler' | 'healDelaySeconds'>;

/**
 * Copies a healthy copy to every store that lacks one. The source is read into a spool and its hash is
 * checked before any store receives a byte. If the source is bad, the next one is tried.
 * @throws FixativeError NOT_FOUND; BYTES_LOST; StoreError if a healthy copy may be in a store that cannot be
 *   asked.
 */
export async function restoreBlob(
  deps: RestoreDeps,
  blobId: number,
  options: RestoreOptions = {},
): Promise<Restoration> {
  const named = await findBlob(deps.database, { id: blobId });
  if (!named) throw new FixativeError('NOT_FOUND', `There is no blob ${blobId}.`);
  return deps.database.exclusively(`blob:${named.sha256}`, async (lock) => {
    // Read again under the lock: its last holder may have restored or removed the blob.
    const blob = await findBlob(deps.database, { id: blobId });
    if (!blob) throw new FixativeError('NOT_FOUND', `There is no blob ${blobId}.`);
    const retired = await findRetiredKeys(deps.database, blob.sha256);
    return restoreUnderLock({ ...deps, lock, retired }, blob, options);
  });
}

interface UnderLock extends RestoreDeps {
  readonly lock: HeldLock;
  readonly retired: RetiredKeys;
}

async function restoreUnderLock(deps: UnderLock, blob: Blob, options: RestoreOptions): Promise<Restoration> {
  const failed: StoreError[] = [];
  const eligible = deps.stores.filter((store) => takesBlob(store, blob));
  for (const store of deps.stores) {
    if (eligible.includes(store)) continue;
    await recordTooLarge(deps.lock, blob, copyOf(deps, blob, store));
    if (options.stores?.includes(store.name)) failed.push(tooLargeFor(store, blob));
  }
  const findings = await examineAll(deps, blob, eligible, options.deep ?? false);
  const wanted = eligible.filter((store) => !options.stores || options.stores.includes(store.name));
  for (const store of wanted) {
    const finding = findings.get(store);
    if (finding?.state !== 'UNREACHABLE') continue;
    failed.push(finding.error);
    if (copyOf(deps, blob, store).state !== 'STORED') {
      await recordError(deps.lock, blob, store.name, finding.error.message);
    }
  }
  const lacking = wanted.filter((store) => isBad(findings.get(store)));
  if (lacking.length === 0) return { restored: [], source: null, failed };

  const proven = await readProvenCopy(deps, blob, findings);
  if (proven instanceof FixativeError) {
    for (const store of lacking) await recordError(deps.lock, blob, store.name, proven.message);
    throw proven;
  }
  const { spool, source } = proven;
  try {
    const made = await makeCopies(deps, blob, lacking, { spool, dryRun: options.dryRun ?? false });
    await deps.database.flush();
    return { restored: made.restored, source, failed: [...failed, ...made.failed] };
  } finally {
    await spool.discard();
  }
}

/** Examines all copies in parallel. */
async function examineAll(
  deps: UnderLock,
  blob: Blob,
  stores: readonly Store[],
  deep: boolean,
): Promise<ReadonlyMap<Store, Finding>> {
  const outcomes = await Promise.allSettled(
    stores.map(async (store) => [store, await examineAndRecord(deps, blob, store, deep)] as const),
  );
  return new Map(
    outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    }),
  );
}

async function makeCopies(
  deps: UnderLock,
  blob: Blob,
  stores: readonly Store[],
  { spool, dryRun }: { spool: Spool; dryRun: boolean },
): Promise<Pick<Restoration, 'restored' | 'failed'>> {
  const restored: { store: string; bytes: number }[] = [];
  const failed: StoreError[] = [];
  for (const store of stores) {
    const { key } = copyOf(deps, blob, store);
    try {
      if (!dryRun) {
        deps.lock.signal.throwIfAborted();
        const stat = await store.put(key, checkedSource(spool));
        await recordStored(deps.lock, blob, [{ store: store.name, key, ...stat }]);
      }
      restored.push({ store: store.name, bytes: blob.bytes });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      failed.push(error);
      await recordError(deps.lock, blob, store.name, error.message);
    }
  }
  return { restored, failed };
}

/** Reads healthy copies in read order until the hash of one is proven. Returns the error if there is none. */
async function readProvenCopy(
  deps: UnderLock,
  blob: Blob,
  findings: ReadonlyMap<Store, Finding>,
): Promise<{ spool: Spool; source: string } | FixativeError> {
  let unreachable: StoreError | null = null;
  for (const [store, finding] of findings) {
    if (finding.state === 'UNREACHABLE') unreachable ??= finding.error;
    if (finding.state !== 'STORED') continue;
    try {
      const { stream } = await store.open(copyOf(deps, blob, store).key);
      const subject = `The copy in ${store.name}`;
      const spool = await deps.spooler.receive(stream, { maxBytes: blob.bytes, subject });
      if (spool.sha256 === blob.sha256) return { spool, source: store.name };
      await spool.discard();
    } catch (error) {
      // The store went away or broke off, or the copy has changed. Any other error ends the restoration.
      if (!(error instanceof FixativeError) || error.code === 'NO_SPACE') throw error;
      unreachable ??= new StoreError(`${store.name} broke off: ${error.message}`, store.name, {
        cause: error,
      });
    }
  }
  return unreachable
    ? new StoreError(`No healthy copy of ${blob.sha256} can be reached now.`, unreachable.store, {
        cause: unreachable,
      })
    : new FixativeError(
        'BYTES_LOST',
        `No store holds a healthy copy of ${blob.sha256}: it cannot be restored.`,
      );
}

/** Examines one copy and records what differs. Records a pending copy for a store that has none on record. */
async function examineAndRecord(deps: UnderLock, blob: Blob, store: Store, deep: boolean): Promise<Finding> {
  const copy = copyIn(store, blob);
  const { key } = copyOf(deps, blob, store);
  const finding = await examineCopy(store, blob, copy, { deep, key });
  if (!copy) await recordPending(deps.lock, blob, { store: store.name, key });
  if (finding.state === 'STORED') {
    if (finding.read || copy?.state !== 'STORED') {
      await recordStored(deps.lock, blob, [{ store: store.name, key, ...finding.stat }]);
    }
  } else if (copy?.state === 'STORED' && finding.state !== 'UNREACHABLE') {
    await recordBad(deps.lock, blob, copy, finding, deps.healDelaySeconds);
  }
  return finding;
}

function copyOf(
  { retired }: Pick<UnderLock, 'retired'>,
  blob: Blob,
  store: Store,
): { store: string; key: string; state: string } {
  const copy = copyIn(store, blob);
  return { store: store.name, key: keyFor(store, blob, retired), state: copy?.state ?? 'PENDING' };
}

/** Returns whether the store takes a blob of this size, or already holds it. */
function takesBlob({ name, maxBytes }: Store, { bytes, copies }: Blob): boolean {
  return bytes <= maxBytes || copies.some(({ store, state }) => store === name && state === 'STORED');
}

function tooLargeFor({ name, maxBytes }: Store, { bytes }: Blob): StoreError {
  const message = `${name} takes files of up to ${formatBytes(maxBytes)}; this one has ${formatBytes(bytes)}.`;
  return new StoreError(message, name, { retryable: false });
}

function isBad(finding: Finding | undefined): boolean {
  return finding?.state === 'MISSING' || finding?.state === 'CORRUPT';
}
