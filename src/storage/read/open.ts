import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { FixativeError, NotFoundError, StoreError } from '../../errors.ts';
import { type Blob, copyIn, keyOf } from '../blob.ts';
import { recordBad, recordProven } from '../copies.ts';
import type { StorageDeps } from '../service.ts';
import { type ByteRange, DamagedObjectError, type OpenObject, type Store } from '../stores/store.ts';
import { examine, type Finding } from './examine.ts';
import { continued } from './failover.ts';
import { askInTurn } from './hedge.ts';
import { withLastPartHeld } from './last-part.ts';

export interface OpenBlob {
  /** To be read to its end or destroyed. */
  readonly stream: Readable;
  /** The name of the store that gives the bytes. */
  readonly store: string;
  /** Whether the stream ends in a DamagedObjectError, and without its last part, where its hash turns out to be another. */
  readonly proves: boolean;
}

/** @param options.deep reads every copy before it is given, whatever its fingerprint says. */
export async function open(
  deps: StorageDeps & { wakeRepairer(seconds: number): void },
  blob: Blob,
  range?: ByteRange,
  options: { deep?: boolean } = {},
): Promise<OpenBlob> {
  // A range of everything is proven as everything is.
  if (range && isWhole(range, blob)) return open(deps, blob, undefined, options);
  const unreachable: StoreError[] = [];
  let met = false;
  /** Asks stores in turn for a proven range. What is found on the way is noted. */
  const ask = (stores: readonly Store[], part: ByteRange | undefined) =>
    askInTurn(stores, (store) => openProven(store, blob, { range: part, ...options }), {
      isGood: isProven,
      async onOther({ subject: store, result: { opened, finding } }, isLate) {
        opened?.stream.destroy();
        if (finding.state === 'STORED') return;
        if (finding.state === 'UNREACHABLE') {
          if (!isLate) unreachable.push(finding.error);
          return;
        }
        met = true;
        if (isLate) deps.wakeRepairer(deps.healDelaySeconds);
        const copy = copyIn(store, blob);
        if (copy)
          await note(deps, () => recordBad(deps.database, blob, copy, finding, deps.healDelaySeconds));
        deps.log.warn({ store: store.name, sha256: blob.sha256, state: finding.state }, finding.error);
      },
    });

  const found = await ask(inReadOrder(deps.stores, blob), range);
  if (!found) {
    const [first] = unreachable;
    if (first)
      throw new StoreError(`No healthy copy of ${blob.sha256} can be reached now.`, first.store, {
        cause: first,
      });
    throw new FixativeError('BYTES_LOST', `No store holds a healthy copy of ${blob.sha256}.`);
  }
  const { subject: store, result } = found;
  const { opened, finding } = result as Proven;
  const copy = copyIn(store, blob);
  if (copy && (finding.read || copy.state !== 'STORED'))
    await note(deps, () => recordProven(deps.database, blob, copy, finding.stat));
  if (met) deps.wakeRepairer(deps.healDelaySeconds);

  let isOfSeveral = false;
  const stream = continued(
    { store: store.name, opened },
    range ?? { start: 0, end: blob.bytes - 1 },
    async (rest, tried, error) => {
      // Only where the record says that there is a healthy copy: what was given so far is proven by the record, too.
      const others = deps.stores.filter((store) => !tried.has(store.name) && isHealthyIn(store, blob));
      const next = await ask(others, isWhole(rest, blob) ? undefined : rest);
      if (!next) return null;
      isOfSeveral = true;
      const context = { store: [...tried].at(-1), next: next.subject.name, sha256: blob.sha256, err: error };
      deps.log.warn(context, 'a store broke off while it gave a blob; another one goes on');
      return { store: next.subject.name, opened: (next.result as Proven).opened };
    },
  );
  // What lies in a file was just seen to be as it was proven, and is to be that to its end. Of what comes from elsewhere, and whole, the hash is
  // proven once more as it goes out.
  if (opened.isUnchanged || range)
    return { stream: withLastPartHeld(stream, { prove: async () => {} }), store: store.name, proves: false };
  const proven = provenAsItGoes(stream, blob, async (error) => {
    const found = { state: 'CORRUPT' as const, error: `${store.name}: ${error}` };
    // Which of them gave the wrong part is for verify to find out.
    if (copy && !isOfSeveral)
      await note(deps, () => recordBad(deps.database, blob, copy, found, deps.healDelaySeconds));
    deps.log.warn({ store: store.name, sha256: blob.sha256, state: found.state }, found.error);
    deps.wakeRepairer(deps.healDelaySeconds);
  });
  return { stream: proven, store: store.name, proves: true };
}

type Looked = { opened?: OpenObject; finding: Finding };
type Proven = { opened: OpenObject; finding: Extract<Finding, { state: 'STORED' }> };

const isProven = (looked: Looked): boolean => Boolean(looked.opened) && looked.finding.state === 'STORED';

const isHealthyIn = (store: Store, blob: Blob) => copyIn(store, blob)?.state === 'STORED';

export const isWhole = ({ start, end }: ByteRange, { bytes }: Blob) => start === 0 && end === bytes - 1;

function provenAsItGoes(stream: Readable, blob: Blob, onDamage: (error: string) => Promise<void>): Readable {
  const hash = createHash('sha256');
  return withLastPartHeld(stream, {
    see: (part) => void hash.update(part),
    async prove() {
      const sha256 = hash.digest('hex');
      if (sha256 === blob.sha256) return;
      const error = `${blob.sha256} came with the SHA-256 ${sha256}`;
      await onDamage(error);
      throw new DamagedObjectError(error);
    },
  });
}

/** Stores that are on record as healthy first; the others after them, for what was missing may be back. */
function inReadOrder(stores: readonly Store[], blob: Blob): Store[] {
  return [
    ...stores.filter((store) => isHealthyIn(store, blob)),
    ...stores.filter((store) => !isHealthyIn(store, blob)),
  ];
}

/** Opens exactly the object that was proven: one that was replaced between the look and the opening is looked at once more. */
async function openProven(
  store: Store,
  blob: Blob,
  { range, deep = false }: { range?: ByteRange | undefined; deep?: boolean },
): Promise<Looked> {
  const copy = copyIn(store, blob);
  const asProven = deep ? null : await openAsProven(store, blob, range);
  if (asProven) return asProven;
  let finding: Finding = { state: 'MISSING', error: `${store.name} does not have ${blob.sha256}.` };
  for (let attempt = 0; attempt < 3; attempt++) {
    finding = await examine(store, blob, copy, { deep });
    if (finding.state !== 'STORED') return { finding };
    try {
      const opened = await store.open(copy?.key ?? keyOf(blob.sha256, blob.mimeType), range);
      if (opened.stat.fingerprint === finding.stat.fingerprint) return { opened, finding };
      opened.stream.destroy();
    } catch (error) {
      if (error instanceof NotFoundError) return { finding: { state: 'MISSING', error: error.message } };
      if (error instanceof StoreError) return { finding: { state: 'UNREACHABLE', error } };
      throw error;
    }
  }
  return {
    finding: {
      state: 'UNREACHABLE',
      error: new StoreError(`${store.name} keeps changing ${blob.sha256}.`, store.name),
    },
  };
}

/** Without a look before, where the object still is what was proven; null: it has to be looked at. */
async function openAsProven(store: Store, blob: Blob, range: ByteRange | undefined) {
  const copy = copyIn(store, blob);
  if (copy?.state !== 'STORED' || copy.fingerprint === null) return null;
  try {
    const opened = await store.open(copy.key, range);
    const { stat } = opened;
    if (stat.fingerprint === copy.fingerprint && stat.bytes === blob.bytes)
      return { opened, finding: { state: 'STORED', stat, read: false } as const };
    opened.stream.destroy();
    return null;
  } catch (error) {
    // A store may refuse a range that lies behind the end of what is left of an object; a look tells that from a store that is away.
    if (error instanceof NotFoundError || (error instanceof StoreError && range)) return null;
    if (error instanceof StoreError) return { finding: { state: 'UNREACHABLE', error } as const };
    throw error;
  }
}

/** The answer does not wait for, nor fail with, what is noted beside it. */
export async function note(deps: Pick<StorageDeps, 'log'>, write: () => Promise<unknown>): Promise<void> {
  await write().catch((error) => deps.log.error({ err: error }, 'could not note the state of a copy'));
}
