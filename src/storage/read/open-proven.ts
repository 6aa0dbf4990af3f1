/** Opens one copy of a blob in one store, so that exactly the bytes whose hash was proven are read. */
import { NotFoundError, StoreError } from '../../errors.ts';
import { type Blob, copyIn, keyOf } from '../blob.ts';
import type { ByteRange, OpenObject, Store } from '../stores/store.ts';
import { examineCopy, type Finding } from './examine.ts';

/** `opened` is set when the copy is healthy and open. */
export interface OpenAttempt {
  readonly opened?: OpenObject;
  readonly finding: Finding;
}

export interface ProvenOpen {
  readonly opened: OpenObject;
  readonly finding: Extract<Finding, { state: 'STORED' }>;
}

export function isProvenOpen(attempt: OpenAttempt): attempt is ProvenOpen {
  return Boolean(attempt.opened) && attempt.finding.state === 'STORED';
}

const MAX_ATTEMPTS = 3;

/**
 * Opens the object that was proven. An object that is replaced between the examination and the opening is
 * examined again.
 */
export async function openProvenCopy(
  store: Store,
  blob: Blob,
  { range, deep = false }: { range?: ByteRange | undefined; deep?: boolean },
): Promise<OpenAttempt> {
  const copy = copyIn(store, blob);
  const unchanged = deep ? null : await openUnchangedCopy(store, blob, range);
  if (unchanged) return unchanged;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const finding = await examineCopy(store, blob, copy, { deep });
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
  const error = new StoreError(
    `${blob.sha256} in ${store.name} keeps changing while it is read.`,
    store.name,
  );
  return { finding: { state: 'UNREACHABLE', error } };
}

/**
 * Fast path: opens the copy without an examination. Returns null if its fingerprint has changed since the
 * last proof.
 */
async function openUnchangedCopy(
  store: Store,
  blob: Blob,
  range: ByteRange | undefined,
): Promise<OpenAttempt | null> {
  const copy = copyIn(store, blob);
  if (copy?.state !== 'STORED' || copy.fingerprint === null) return null;
  try {
    const opened = await store.open(copy.key, range);
    const { stat } = opened;
    if (stat.fingerprint === copy.fingerprint && stat.bytes === blob.bytes)
      return { opened, finding: { state: 'STORED', stat, read: false } };
    opened.stream.destroy();
    return null;
  } catch (error) {
    // A store may refuse a range beyond the end of a shortened object. An examination tells that from an
    // outage.
    if (error instanceof NotFoundError || (error instanceof StoreError && range)) return null;
    if (error instanceof StoreError) return { finding: { state: 'UNREACHABLE', error } };
    throw error;
  }
}
