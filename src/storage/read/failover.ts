import type { Readable } from 'node:stream';
import { withTimeLimit } from '../../time.ts';
import { type ByteRange, DamagedObjectError, type OpenObject } from '../stores/store.ts';
import { HEDGE_MS } from './hedge.ts';
import { streamOf } from './last-part.ts';

/** An object that was opened with the fingerprint of its proof, and the name of its store. */
export interface Source {
  readonly store: string;
  readonly opened: Pick<OpenObject, 'stream' | 'isUnchanged'>;
}

/**
 * Returns a stream of a range that fails over to another store when the current one breaks off or is silent
 * for HEDGE_MS. Both were opened with the fingerprint of their proof, so the parts belong together. If a
 * store reports that its object is damaged or was written to, the stream ends in an error instead: the parts
 * that it sent may be wrong.
 * @param openNext opens the rest at a store that was not tried; null if there is none. @throws as
 *   `Store.open`.
 */
export function streamWithFailover(
  first: Source,
  range: ByteRange,
  openNext: (range: ByteRange, failed: ReadonlySet<string>, error: unknown) => Promise<Source | null>,
): Readable {
  let source = first;
  let isClosed = false;
  const tried = new Set<string>();

  /** Returns the next part of the source; null after a failover. */
  async function next(
    chunks: AsyncIterator<Uint8Array>,
    at: number,
  ): Promise<IteratorResult<Uint8Array> | null> {
    const pending = chunks.next();
    if (tried.has(source.store) || (await endsWithin(HEDGE_MS, pending))) return pending;
    // No failover unless the parts that were sent are known to be right; a source that cannot tell in time is
    // waited for.
    if (at > range.start && !(await isSound(source))) return pending;
    return (await replace(at, new Error(`no bytes arrived for ${HEDGE_MS} ms`))) ? null : pending;
  }

  async function replace(at: number, error: unknown): Promise<boolean> {
    tried.add(source.store);
    const other = await openNext({ start: at, end: range.end }, tried, error);
    if (!other) return false;
    source.opened.stream.destroy();
    source = other;
    if (isClosed) source.opened.stream.destroy();
    return true;
  }

  async function* parts(): AsyncGenerator<Uint8Array> {
    let at = range.start;
    for (;;) {
      const chunks = source.opened.stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      try {
        for (;;) {
          const result = await next(chunks, at);
          if (result === null) break;
          if (result.done) {
            if ((await source.opened.isUnchanged?.()) === false) throw new DamagedObjectError(WRITTEN_TO);
            // A short stream is noticed by its reader, who knows the length.
            return;
          }
          at += result.value.length;
          yield result.value;
        }
      } catch (error) {
        if (isClosed) throw error;
        const canFailOver = !(error instanceof DamagedObjectError) && (await isSound(source));
        if (!canFailOver && at > range.start) throw error;
        if (!(await replace(at, error))) throw error;
      }
    }
  }

  return streamOf(parts(), () => {
    isClosed = true;
    source.opened.stream.destroy();
  });
}

/** Returns whether the open object was not written to; false if the store does not answer within HEDGE_MS. */
async function isSound({ opened }: Source): Promise<boolean> {
  const check = opened.isUnchanged?.() ?? Promise.resolve(true);
  return (await endsWithin(HEDGE_MS, check)) && (await check.catch(() => false));
}

const WRITTEN_TO = 'the object was written to while it was read';

/** Returns whether `work` resolves or rejects within `ms`. */
function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const ended = () => true;
  return withTimeLimit(ms, work.then(ended, ended), () => false);
}
