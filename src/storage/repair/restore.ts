import type { HeldLock } from '../../database/database.ts';
import { FixativeError, StoreError } from '../../errors.ts';
import { type Blob, copyIn, findBlob } from '../blob.ts';
import { recordBad, recordError, recordPending, recordStored, recordTooLarge } from '../copies.ts';
import { examine, type Finding, proven } from '../read/examine.ts';
import { findRetiredKeys, keyFor, type RetiredKeys } from '../retired-keys.ts';
import type { StorageDeps } from '../service.ts';
import { formatBytes, type Spool } from '../spool/spool.ts';
import type { Store } from '../stores/store.ts';

export interface Restoration {
  /** The copies that were made now; on a dry run, those that would be. */
  readonly restored: readonly { store: string; bytes: number }[];
  /** The store they were made from; null when nothing had to be made. */
  readonly source: string | null;
  /** Why copies that are lacking could not be made. */
  readonly failed: readonly StoreError[];
}

export interface RestoreOptions {
  /** Names of the stores to restore into; all without it. */
  readonly stores?: readonly string[];
  /** Read every copy, whatever its store says of it. */
  readonly deep?: boolean;
  /** Look, and write nothing into any store. */
  readonly dryRun?: boolean;
}

type RestoreDeps = Pick<StorageDeps, 'database' | 'stores' | 'spooler' | 'healDelaySeconds'>;

/**
 * Reads a healthy copy, proves its hash, and puts it wherever it is lacking. The source is read whole into a spool first, so
 * that no store receives a byte before all of them are proven; a source that turns out bad makes way for the next.
 * @throws FixativeError NOT_FOUND; BYTES_LOST; StoreError when a healthy copy may be where nobody can ask.
 */
export async function restore(
  deps: RestoreDeps,
  blobId: number,
  options: RestoreOptions = {},
): Promise<Restoration> {
  const named = await findBlob(deps.database, { id: blobId });
  if (!named) throw new FixativeError('NOT_FOUND', `There is no blob ${blobId}.`);
  return deps.database.exclusively(`blob:${named.sha256}`, async (lock) => {
    // Looked at again under the lock: whoever held it may have restored it, or removed it.
    const blob = await findBlob(deps.database, { id: blobId });
    if (!blob) throw new FixativeError('NOT_FOUND', `There is no blob ${blobId}.`);
    const retired = await findRetiredKeys(deps.database, blob.sha256);
    return restoreAlone({ ...deps, lock, retired }, blob, options);
  });
}

interface UnderLock extends RestoreDeps {
  readonly lock: HeldLock;
  readonly retired: RetiredKeys;
}

async function restoreAlone(deps: UnderLock, blob: Blob, options: RestoreOptions): Promise<Restoration> {
  const failed: StoreError[] = [];
  const taking = deps.stores.filter((store) => takes(store, blob));
  for (const store of deps.stores) {
    if (taking.includes(store)) continue;
    await recordTooLarge(deps.lock, blob, copyOf(deps, blob, store));
    if (options.stores?.includes(store.name)) failed.push(tooLargeFor(store, blob));
  }
  const looks = await Promise.allSettled(
    taking.map(async (store) => [store, await look(deps, blob, store, options.deep ?? false)] as const),
  );
  const findings = new Map<Store, Finding>(
    looks.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    }),
  );
  const wanted = taking.filter((store) => !options.stores || options.stores.includes(store.name));
  const lacking = wanted.filter((store) => isBad(findings.get(store)));
  for (const store of wanted) {
    const finding = findings.get(store);
    if (finding?.state !== 'UNREACHABLE') continue;
    failed.push(finding.error);
    if (copyOf(deps, blob, store).state !== 'STORED') {
      await recordError(deps.lock, blob, store.name, finding.error.message);
    }
  }
  if (lacking.length === 0) return { restored: [], source: null, failed };

  const proof = await takeProvenCopy(deps, blob, findings);
  if (proof instanceof FixativeError) {
    for (const store of lacking) await recordError(deps.lock, blob, store.name, proof.message);
    throw proof;
  }
  const { spool, source } = proof;
  try {
    const restored: { store: string; bytes: number }[] = [];
    for (const store of lacking) {
      const { key } = copyOf(deps, blob, store);
      try {
        if (!options.dryRun) {
          deps.lock.signal.throwIfAborted();
          const stat = await store.put(key, proven(spool));
          await recordStored(deps.lock, blob, [{ store: store.name, key, ...stat }]);
        }
        restored.push({ store: store.name, bytes: blob.bytes });
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failed.push(error);
        await recordError(deps.lock, blob, store.name, error.message);
      }
    }
    await deps.database.flush();
    return { restored, source, failed };
  } finally {
    await spool.discard();
  }
}

/** Reads healthy copies, in read order, until one of them is proven to its last byte; or says why there is none. */
async function takeProvenCopy(
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
      // It went away, broke off or changed since it was looked at. Anything that is not of the store ends the restoration.
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

/** Looks at one copy and notes what differs from the record; a store that is new to the blob gets a copy on record. */
async function look(deps: UnderLock, blob: Blob, store: Store, deep: boolean): Promise<Finding> {
  const copy = copyIn(store, blob);
  const { key } = copyOf(deps, blob, store);
  const finding = await examine(store, blob, copy, { deep, key });
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

/** Whether the store takes the blob, or has it although it would not take it now. */
function takes({ name, maxBytes }: Store, { bytes, copies }: Blob): boolean {
  return bytes <= maxBytes || copies.some(({ store, state }) => store === name && state === 'STORED');
}

function tooLargeFor({ name, maxBytes }: Store, { bytes }: Blob): StoreError {
  const message = `${name} takes files of up to ${formatBytes(maxBytes)}; this one has ${formatBytes(bytes)}.`;
  return new StoreError(message, name, { retryable: false });
}

function isBad(finding: Finding | undefined): boolean {
  return finding?.state === 'MISSING' || finding?.state === 'CORRUPT';
}
