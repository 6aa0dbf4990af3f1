import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NotFoundError, StoreError } from '../../errors.ts';
import { type Blob, type Copy, keyOf } from '../blob.ts';
import { formatBytes } from '../spool/format-bytes.ts';
import type { Spool } from '../spool/spool.ts';
import { type BlobSource, DamagedObjectError, type ObjectStat, type Store } from '../stores/store.ts';

/**
 * Result of the examination of one copy. `read`: whether every byte was read and the hash was proven just
 * now.
 */
export type Finding =
  | { readonly state: 'STORED'; readonly stat: ObjectStat; readonly read: boolean }
  | { readonly state: 'MISSING' | 'CORRUPT'; readonly error: string }
  | { readonly state: 'UNREACHABLE'; readonly error: StoreError };

/**
 * Examines whether a store holds a healthy copy of a blob. Reads every byte and compares the hash, unless the
 * copy is on record as STORED and its fingerprint has not changed since the hash was last proven.
 * @param options.deep read every byte in any case: decay of the disk changes no fingerprint.
 * @param options.key the key to examine. Default: the key on record.
 */
export async function examineCopy(
  store: Store,
  blob: Pick<Blob, 'sha256' | 'bytes' | 'mimeType'>,
  copy: Copy | undefined,
  options: { deep?: boolean; key?: string } = {},
): Promise<Finding> {
  const key = options.key ?? copy?.key ?? keyOf(blob.sha256, blob.mimeType);
  try {
    const stat = await store.stat(key);
    if (!stat) return { state: 'MISSING', error: `${store.name} does not have ${key}.` };
    if (stat.bytes !== blob.bytes) {
      const [found, expected] = [formatBytes(stat.bytes), formatBytes(blob.bytes)];
      return { state: 'CORRUPT', error: `${key} in ${store.name} has ${found} instead of ${expected}.` };
    }
    if (!options.deep && copy?.state === 'STORED' && copy.fingerprint === stat.fingerprint)
      return { state: 'STORED', stat, read: false };
    return await readAndCompare(store, key, blob);
  } catch (error) {
    if (error instanceof NotFoundError) return { state: 'MISSING', error: error.message };
    if (error instanceof StoreError) return { state: 'UNREACHABLE', error };
    throw error;
  }
}

async function readAndCompare(
  store: Store,
  key: string,
  blob: Pick<Blob, 'sha256' | 'bytes'>,
): Promise<Finding> {
  const { stat, stream } = await store.open(key);
  const hash = createHash('sha256');
  try {
    await pipeline(stream, async (source: AsyncIterable<Uint8Array>) => {
      for await (const chunk of source) hash.update(chunk);
    });
  } catch (cause) {
    // The store answered and then broke off. Either the copy is bad or the store is away; the next
    // examination tells which. Until then the copy is not corrupt, unless the store itself reports a damaged
    // object.
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof DamagedObjectError)
      return { state: 'CORRUPT', error: `${key} in ${store.name} cannot be read: ${reason}.` };
    return {
      state: 'UNREACHABLE',
      error: new StoreError(`${store.name} broke off while giving ${key}: ${reason}.`, store.name, { cause }),
    };
  }
  const sha256 = hash.digest('hex');
  if (sha256 === blob.sha256) return { state: 'STORED', stat, read: true };
  return { state: 'CORRUPT', error: `${key} in ${store.name} has the SHA-256 ${sha256}.` };
}

/**
 * Returns a source that checks the hash of a spool while the file is read back from the disk. The stream ends
 * in an error if the hash differs, so that a store keeps nothing of it.
 */
export function checkedSource(source: Spool): BlobSource {
  return {
    bytes: source.bytes,
    sha256: source.sha256,
    open() {
      if (source.isInMemory) return source.open();
      const hash = createHash('sha256');
      const stream = source.open();
      const check = new Transform({
        transform(chunk, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
        flush(done) {
          const sha256 = hash.digest('hex');
          done(sha256 === source.sha256 ? null : new Error(`the bytes have the SHA-256 ${sha256}`));
        },
      });
      stream.on('error', (error) => check.destroy(error));
      check.on('close', () => stream.destroy());
      return stream.pipe(check);
    },
  };
}
