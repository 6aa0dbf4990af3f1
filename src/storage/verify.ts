import { walkBlobs } from './blob.ts';
import { recordBad, recordStored } from './copies.ts';
import { examine } from './examine.ts';
import type { StorageDeps } from './service.ts';

export interface VerifyOptions {
  /** Called after each blob with what has been read so far. */
  onProgress?: (progress: { blobs: number; bytes: number }) => void;
  /** Called for each copy that is not right. */
  onBad?: (bad: BadCopy) => void;
  signal?: AbortSignal;
}

export interface BadCopy {
  readonly store: string;
  readonly sha256: string;
  readonly key: string;
  readonly state: 'MISSING' | 'CORRUPT' | 'UNREACHABLE';
  readonly error: string;
}

export interface Verification {
  readonly blobs: number;
  /** Blobs of which no healthy copy was found in any store that could be asked. */
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
  bytes: number;
}

/** Reads every copy of every blob and compares its hash with its name. */
export async function verify(
  deps: Pick<StorageDeps, 'database' | 'stores'>,
  options: VerifyOptions = {},
): Promise<Verification> {
  const stores = new Map<string, VerifiedStore>(
    deps.stores.map(({ name }) => [
      name,
      { store: name, right: 0, missing: 0, corrupt: 0, pending: 0, unreachable: 0, bytes: 0 },
    ]),
  );
  const lost: string[] = [];
  let blobs = 0;
  let bytes = 0;
  for await (const blob of walkBlobs(deps.database)) {
    options.signal?.throwIfAborted();
    let right = 0;
    let unknown = 0;
    for (const store of deps.stores) {
      const tally = stores.get(store.name) as VerifiedStore;
      const copy = blob.copies.find((each) => each.store === store.name);
      if (!copy) continue;
      const finding = await examine(store, blob, copy, { deep: true });
      if (finding.state === 'STORED') {
        await recordStored(deps.database, blob, copy, finding.stat);
        tally.right++;
        tally.bytes += finding.stat.bytes;
        bytes += finding.stat.bytes;
        right++;
        continue;
      }
      if (finding.state === 'UNREACHABLE') {
        tally.unreachable++;
        unknown++;
      } else if (finding.state === 'MISSING' && copy.state === 'PENDING') {
        tally.pending++;
        continue;
      } else {
        await recordBad(deps.database, blob, copy, finding);
        tally[finding.state === 'MISSING' ? 'missing' : 'corrupt']++;
      }
      const error = finding.state === 'UNREACHABLE' ? finding.error.message : finding.error;
      options.onBad?.({ store: store.name, sha256: blob.sha256, key: copy.key, state: finding.state, error });
    }
    if (right === 0 && unknown === 0) lost.push(blob.sha256);
    blobs++;
    options.onProgress?.({ blobs, bytes });
  }
  return { blobs, lost, stores: [...stores.values()] };
}
