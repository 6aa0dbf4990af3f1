import type { S3Store } from '../stores/s3/s3.ts';
import type { Arrivals } from './arrivals.ts';

/** Below the prefix of the store `s3`. No key of a blob begins so, and whoever looks for orphans passes it by. */
export const ARRIVALS_PREFIX = '.uploads';

/**
 * Arrivals in the bucket: the client sends to S3 itself, past us, and S3 holds the bytes against what the address is signed for:
 * their number, their type and, where it was announced and the server knows checksums, their hash.
 * @param store the bucket of the store `s3`, below ARRIVALS_PREFIX.
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
