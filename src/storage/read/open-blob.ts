import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { FixativeError, StoreError } from '../../errors.ts';
import { type Blob, copyIn } from '../blob.ts';
import { recordBad, recordProven } from '../copies.ts';
import type { RepairerAlarm, StorageDeps } from '../deps.ts';
import { type ByteRange, DamagedObjectError, type Store } from '../stores/store.ts';
import type { Finding } from './examine.ts';
import { type Source, streamWithFailover } from './failover.ts';
import { askInTurn } from './hedge.ts';
import { withLastPartHeld } from './last-part.ts';
import { isProvenOpen, type OpenAttempt, openProvenCopy, type ProvenOpen } from './open-proven.ts';
import { recordOrLog } from './record-or-log.ts';

export interface OpenBlob {
  /** To be read to its end or destroyed. */
  readonly stream: Readable;
  /** Name of the store that sends the bytes. */
  readonly store: string;
  /**
   * Whether the stream checks the hash: it ends in a DamagedObjectError, without its last part, if the hash
   * differs.
   */
  readonly proves: boolean;
}

type OpenDeps = StorageDeps & RepairerAlarm;

interface OpenOptions {
  /** Read every copy before it is sent, whatever its fingerprint. */
  readonly deep?: boolean;
}

/** See Storage.open. */
export async function openBlob(
  deps: OpenDeps,
  blob: Blob,
  range?: ByteRange,
  options: OpenOptions = {},
): Promise<OpenBlob> {
  // A range of all bytes is proven as the whole is.
  if (range && isWholeBlob(range, blob)) return openBlob(deps, blob, undefined, options);
  const search = makeCopySearch(deps, blob, options);
  const found = await search.find(inReadOrder(deps.stores, blob), range);
  if (!found) throw noCopyError(blob, search.unreachable);
  const { subject: store, result } = found;
  const { opened, finding } = result as ProvenOpen;
  const copy = copyIn(store, blob);
  if (copy && (finding.read || copy.state !== 'STORED'))
    await recordOrLog(deps, () => recordProven(deps.database, blob, copy, finding.stat));
  if (search.foundBad) deps.wakeRepairer(deps.healDelaySeconds);

  let hasFailedOver = false;
  const stream = streamWithFailover(
    { store: store.name, opened },
    range ?? { start: 0, end: blob.bytes - 1 },
    async (rest, tried, error) => {
      const next = await openRest({ deps, blob, search }, rest, tried, error);
      if (next) hasFailedOver = true;
      return next;
    },
  );
  // The fingerprint of a file was just compared, and is compared again at its end. A range has no hash of its
  // own.
  if (opened.isUnchanged || range)
    return { stream: withLastPartHeld(stream, { prove: async () => {} }), store: store.name, proves: false };
  // Other stores can change an object between the proof and the last byte, so the hash is computed again.
  const proven = withHashChecked(stream, blob, async (error) => {
    const damage = { state: 'CORRUPT' as const, error: `${store.name}: ${error}` };
    // After a failover it is not known which store sent wrong bytes; verify finds out.
    if (copy && !hasFailedOver) await recordBadCopy(deps, blob, store, damage);
    deps.log.warn({ store: store.name, sha256: blob.sha256, state: damage.state }, damage.error);
    deps.wakeRepairer(deps.healDelaySeconds);
  });
  return { stream: proven, store: store.name, proves: true };
}

interface CopySearch {
  /** Errors of the stores that could not be asked. */
  readonly unreachable: readonly StoreError[];
  /** Whether a missing or corrupt copy was found. */
  readonly foundBad: boolean;
  /** Asks stores in turn for a proven range, or for all bytes without `part`. */
  find(
    stores: readonly Store[],
    part: ByteRange | undefined,
  ): Promise<{ readonly subject: Store; readonly result: OpenAttempt } | null>;
}

/** Makes a search for a healthy copy that records each bad copy on its way. */
function makeCopySearch(deps: OpenDeps, blob: Blob, options: OpenOptions): CopySearch {
  const unreachable: StoreError[] = [];
  let foundBad = false;
  return {
    unreachable,
    get foundBad() {
      return foundBad;
    },
    find: (stores, part) =>
      askInTurn(stores, (store) => openProvenCopy(store, blob, { range: part, ...options }), {
        isGood: isProvenOpen,
        async onOther({ subject: store, result: { opened, finding } }, isLate) {
          opened?.stream.destroy();
          if (finding.state === 'STORED') return;
          if (finding.state === 'UNREACHABLE') {
            if (!isLate) unreachable.push(finding.error);
            return;
          }
          foundBad = true;
          if (isLate) deps.wakeRepairer(deps.healDelaySeconds);
          await recordBadCopy(deps, blob, store, finding);
          deps.log.warn({ store: store.name, sha256: blob.sha256, state: finding.state }, finding.error);
        },
      }),
  };
}

async function recordBadCopy(
  deps: OpenDeps,
  blob: Blob,
  store: Store,
  finding: Extract<Finding, { state: 'MISSING' | 'CORRUPT' }>,
): Promise<void> {
  const copy = copyIn(store, blob);
  if (!copy) return;
  await recordOrLog(deps, () => recordBad(deps.database, blob, copy, finding, deps.healDelaySeconds));
}

/**
 * Opens the rest of a blob after its store broke off. Only stores with a healthy copy on record are asked,
 * because the parts that were sent are proven by the record, too.
 */
async function openRest(
  { deps, blob, search }: { deps: OpenDeps; blob: Blob; search: CopySearch },
  rest: ByteRange,
  tried: ReadonlySet<string>,
  error: unknown,
): Promise<Source | null> {
  const others = deps.stores.filter((store) => !tried.has(store.name) && isHealthyIn(store, blob));
  const next = await search.find(others, isWholeBlob(rest, blob) ? undefined : rest);
  if (!next) return null;
  const store = next.subject.name;
  const context = { store: [...tried].at(-1), next: store, sha256: blob.sha256, err: error };
  deps.log.warn(context, 'a store broke off while it sent a blob; the next store continues');
  return { store, opened: (next.result as ProvenOpen).opened };
}

function noCopyError(blob: Blob, [cause]: readonly StoreError[]): FixativeError {
  return cause
    ? new StoreError(`No healthy copy of ${blob.sha256} can be reached now.`, cause.store, { cause })
    : new FixativeError('BYTES_LOST', `No store holds a healthy copy of ${blob.sha256}.`);
}

const isHealthyIn = (store: Store, blob: Blob) => copyIn(store, blob)?.state === 'STORED';

export const isWholeBlob = ({ start, end }: ByteRange, { bytes }: Blob) => start === 0 && end === bytes - 1;

/**
 * Returns a stream that checks the hash before its last part.
 * @param onDamage is called before the stream ends in the error.
 */
function withHashChecked(stream: Readable, blob: Blob, onDamage: (error: string) => Promise<void>): Readable {
  const hash = createHash('sha256');
  return withLastPartHeld(stream, {
    see: (part) => void hash.update(part),
    async prove() {
      const sha256 = hash.digest('hex');
      if (sha256 === blob.sha256) return;
      const error = `${blob.sha256} arrived with the SHA-256 ${sha256}`;
      await onDamage(error);
      throw new DamagedObjectError(error);
    },
  });
}

/** Returns stores with a healthy copy on record first, then the others: a missing copy may be back. */
function inReadOrder(stores: readonly Store[], blob: Blob): Store[] {
  return [
    ...stores.filter((store) => isHealthyIn(store, blob)),
    ...stores.filter((store) => !isHealthyIn(store, blob)),
  ];
}
