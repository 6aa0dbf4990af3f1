import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NotFoundError, StoreError } from '../../errors.ts';
import { type Blob, type Copy, keyOf } from '../blob.ts';
import { formatBytes, type Spool } from '../spool/spool.ts';
import { type BlobSource, DamagedObjectError, type ObjectStat, type Store } from '../stores/store.ts';

/** What a look at one copy says. `stat` is there when the copy is healthy. */
export type Finding =
  | { readonly state: 'STORED'; readonly stat: ObjectStat; readonly read: boolean }
  | { readonly state: 'MISSING' | 'CORRUPT'; readonly error: string }
  | { readonly state: 'UNREACHABLE'; readonly error: StoreError };

/**
 * Says whether a store holds a healthy copy of a blob. The hash is proven by reading every byte, unless the store says of the
 * object exactly what it said when the hash was last proven, and nothing worse is on record since: so a hot image costs no hashing, and a changed one is never taken.
 * @param options.deep read it whatever the store says: decay leaves no mark on times and sizes.
 * @param options.key where to look, if not where the copy is on record.
 */
export async function examine(
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
      const [is, was] = [formatBytes(stat.bytes), formatBytes(blob.bytes)];
      return { state: 'CORRUPT', error: `${key} in ${store.name} has ${is} instead of ${was}.` };
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
    // The store answered and then could not give all bytes. Whether the copy is bad or the store went away, the next look
    // tells; until then it is not called corrupt, except where the store itself says that a piece is damaged or gone.
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
 * What a spool has, with its hash proven once more while it is read back from the disk: a stream of it ends in an error when the bytes are not
 * the ones that its name says, and a store that is being written to keeps nothing.
 */
export function proven(source: Spool): BlobSource {
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
