import type { S3Store } from '../stores/s3/s3.ts';
import type { Arrivals } from './arrivals.ts';

/**
 * Prefix of arrivals, below the prefix of the store `s3`. No key of a blob begins with it, and the search for
 * orphans skips it.
 */
export const ARRIVALS_PREFIX = '.uploads';

/**
 * Makes arrivals in a bucket. The client sends to S3 directly. S3 compares the bytes with the signed URL:
 * their number, their type and, if it was announced and the server supports checksums, their hash.
 * @param store the bucket of the store `s3`, with ARRIVALS_PREFIX.
 */
export function makeS3Arrivals(store: S3Store): Arrivals {
  return {
    kind: 's3',
    address: ({ id, expiresAt, ...content }) => store.presignPut(id, content, expiresAt),
    open: async (id) => (await store.open(id)).stream,
    remove: (id) => store.delete(id),

    async *list() {
      for await (const { key, modifiedAt } of store.list())
        if (modifiedAt) yield { id: key, arrivedAt: modifiedAt };
    },
  };
}
