import type { Logger } from 'pino';
import type { Restoration } from './restore.ts';

export interface Healer {
  /** Sees to it that a blob is restored, soon and behind whatever is being answered; once, however often it is asked. */
  start(blobId: number): void;
  /** Resolves when no repair runs; those that wait for their time are let go, and met again by the next look. */
  settled(): Promise<void>;
}

/** A blob whose repair failed is left alone for so long: every answer that meets it would ask again. */
const RETRY_AFTER_SECONDS = 5 * 60;
const MAX_REMEMBERED = 10_000;

/**
 * Repairs what is met on the way, a moment later: an operator who is working on a store is not worked against, and an answer is not
 * slowed by a repair beside it. What fails is logged, and what is bad stays on record.
 */
export function makeHealer(
  restore: (blobId: number) => Promise<Restoration>,
  options: { delaySeconds: number; log: Logger },
): Healer {
  const { delaySeconds, log } = options;
  const waiting = new Map<number, NodeJS.Timeout>();
  const running = new Map<number, Promise<void>>();
  const failedAt = new Map<number, number>();

  async function run(blobId: number): Promise<void> {
    try {
      const { restored, source, failed } = await restore(blobId);
      for (const { store } of restored) log.info({ blobId, store, source }, 'restored a copy');
      for (const error of failed) log.warn({ blobId, err: error }, 'could not restore a copy');
      if (failed.length > 0) remember(blobId);
    } catch (error) {
      log.error({ blobId, err: error }, 'could not restore a blob');
      remember(blobId);
    } finally {
      running.delete(blobId);
    }
  }

  function remember(blobId: number): void {
    if (failedAt.size >= MAX_REMEMBERED) failedAt.clear();
    failedAt.set(blobId, Date.now());
  }

  return {
    start(blobId) {
      if (waiting.has(blobId) || running.has(blobId) || waiting.size >= MAX_REMEMBERED) return;
      if (Date.now() - (failedAt.get(blobId) ?? 0) < RETRY_AFTER_SECONDS * 1000) return;
      failedAt.delete(blobId);
      const timer = setTimeout(() => {
        waiting.delete(blobId);
        running.set(blobId, run(blobId));
      }, delaySeconds * 1000);
      waiting.set(blobId, timer);
    },
    async settled() {
      for (const timer of waiting.values()) clearTimeout(timer);
      waiting.clear();
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}
