import { FixativeError, StoreError } from '../errors.ts';
import { type Blob, findBlob, keyOf } from './blob.ts';
import { recordBad, recordError, recordStored } from './copies.ts';
import { examine, type Finding, proven } from './examine.ts';
import type { StorageDeps } from './service.ts';
import type { ObjectStat, Store } from './stores/store.ts';

export interface Restoration {
  /** The copies that were made now. */
  readonly restored: readonly { store: string; bytes: number }[];
  /** The store they were made from; null when nothing had to be made. */
  readonly source: string | null;
  /** Why copies that are lacking could not be made. */
  readonly failed: readonly StoreError[];
}

type RestoreDeps = Pick<StorageDeps, 'database' | 'stores' | 'spooler'>;

/**
 * Reads a healthy copy, proves its hash, and puts it wherever it is lacking. The source is read whole into a spool first, so
 * that no store receives a byte before all of them are proven.
 * @throws NotFoundError-like FixativeError BYTES_LOST, or StoreError when a healthy copy may be where nobody can ask.
 */
export async function restore(
  deps: RestoreDeps,
  blobId: number,
  options: { stores?: readonly string[]; deep?: boolean } = {},
): Promise<Restoration> {
  const blob = await findBlob(deps.database, { id: blobId });
  if (!blob) throw new FixativeError('NOT_FOUND', `There is no blob ${blobId}.`);

  const findings = new Map<Store, Finding>();
  for (const store of deps.stores) findings.set(store, await look(deps, blob, store, options.deep ?? false));
  const wanted = deps.stores.filter((store) => !options.stores || options.stores.includes(store.name));
  const lacking = wanted.filter((store) => isBad(findings.get(store)));
  const failed = wanted.flatMap((store) => {
    const finding = findings.get(store);
    return finding?.state === 'UNREACHABLE' ? [finding.error] : [];
  });
  if (lacking.length === 0) return { restored: [], source: null, failed };

  const sources = deps.stores.filter((store) => findings.get(store)?.state === 'STORED');
  for (const source of sources) {
    const { stream } = await source.open(copyOf(blob, source).key);
    const spool = await deps.spooler.receive(stream, {
      maxBytes: blob.bytes,
      subject: `The copy in ${source.name}`,
    });
    try {
      if (spool.sha256 !== blob.sha256) continue;
      const restored: { store: string; bytes: number }[] = [];
      for (const store of lacking) {
        const copy = copyOf(blob, store);
        const stat = await store.put(copy.key, proven(spool)).catch(asStoreError);
        if (stat instanceof StoreError) {
          failed.push(stat);
          await recordError(deps.database, blob, store.name, stat.message);
        } else {
          await recordStored(deps.database, blob, copy, stat);
          restored.push({ store: store.name, bytes: stat.bytes });
        }
      }
      return { restored, source: source.name, failed };
    } finally {
      await spool.discard();
    }
  }
  const unreachable = [...findings.values()].find((finding) => finding.state === 'UNREACHABLE');
  if (unreachable?.state === 'UNREACHABLE') {
    throw new StoreError(`No healthy copy of ${blob.sha256} can be reached now.`, unreachable.error.store, {
      cause: unreachable.error,
    });
  }
  throw new FixativeError(
    'BYTES_LOST',
    `No store holds a healthy copy of ${blob.sha256}: it cannot be restored.`,
  );
}

/** Looks at one copy and notes what differs from the record. */
async function look(deps: RestoreDeps, blob: Blob, store: Store, deep: boolean): Promise<Finding> {
  const copy = blob.copies.find((each) => each.store === store.name);
  const finding = await examine(store, blob, copy, { deep });
  if (finding.state === 'STORED') {
    if (finding.read || copy?.state !== 'STORED') {
      await recordStored(deps.database, blob, copyOf(blob, store), finding.stat);
    }
  } else if (
    copy &&
    finding.state !== 'UNREACHABLE' &&
    !(copy.state === 'PENDING' && finding.state === 'MISSING')
  ) {
    await recordBad(deps.database, blob, copy, finding);
  }
  return finding;
}

function copyOf(blob: Blob, store: Store): { store: string; key: string } {
  const copy = blob.copies.find((each) => each.store === store.name);
  return { store: store.name, key: copy?.key ?? keyOf(blob.sha256, blob.mimeType) };
}

function isBad(finding: Finding | undefined): boolean {
  return finding?.state === 'MISSING' || finding?.state === 'CORRUPT';
}

function asStoreError(error: unknown): ObjectStat | StoreError {
  if (error instanceof StoreError) return error;
  throw error;
}
