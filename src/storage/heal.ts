import type { Logger } from 'pino';
import type { Restoration } from './restore.ts';

export interface Healer {
  /** Begins to restore a blob behind whatever is being answered; does nothing when that is under way already. */
  start(blobId: number): void;
  settled(): Promise<void>;
}

/** Repairs what is met on the way. What fails is logged, and is met again by the next look. */
export function healer(restore: (blobId: number) => Promise<Restoration>, log: Logger): Healer {
  const underWay = new Map<number, Promise<void>>();
  return {
    start(blobId) {
      if (underWay.has(blobId)) return;
      const work = restore(blobId)
        .then(({ restored, source, failed }) => {
          for (const copy of restored) log.info({ blobId, store: copy.store, source }, 'restored a copy');
          for (const error of failed) log.warn({ blobId, err: error }, 'could not restore a copy');
        })
        .catch((error) => log.error({ blobId, err: error }, 'could not restore a blob'))
        .finally(() => underWay.delete(blobId));
      underWay.set(blobId, work);
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay.values());
    },
  };
}
