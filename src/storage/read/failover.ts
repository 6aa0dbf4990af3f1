import type { Readable } from 'node:stream';
import { orAfter } from '../../time.ts';
import { type ByteRange, DamagedObjectError, type OpenObject } from '../stores/store.ts';
import { HEDGE_MS } from './hedge.ts';
import { streamOf } from './last-part.ts';

/** One store's bytes, opened as they were proven. */
export interface Source {
  readonly store: string;
  readonly opened: Pick<OpenObject, 'stream' | 'isUnchanged'>;
}

/**
 * A stream of a range that goes on from another store when the one that gives it breaks off, or gives nothing for a second. Both are opened by the
 * fingerprint with which their hash was proven, so the parts belong together; of a whole the hash is proven over all parts, and its last part
 * waits for that. A store that says that its object was damaged or written to is another matter: what it gave before may be wrong, so nothing is added to it.
 * @param openNext opens the rest at a store that has not been tried; null: there is none. @throws as `open`.
 */
export function continued(
  first: Source,
  range: ByteRange,
  openNext: (range: ByteRange, failed: ReadonlySet<string>, error: unknown) => Promise<Source | null>,
): Readable {
  let source = first;
  let isClosed = false;
  const tried = new Set<string>();

  /** What comes next of the source; null: another one has taken its place. */
  async function next(
    chunks: AsyncIterator<Uint8Array>,
    at: number,
  ): Promise<IteratorResult<Uint8Array> | null> {
    const pending = chunks.next();
    if (tried.has(source.store) || (await endsWithin(HEDGE_MS, pending))) return pending;
    // What it gave before must still be right. A disk that does not say so in time is waited for.
    if (at > range.start && !(await isSound(source))) return pending;
    return (await replace(at, new Error(`it gave nothing for ${HEDGE_MS} ms`))) ? null : pending;
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
            // Whoever reads it sees whether something is missing.
            return;
          }
          at += result.value.length;
          yield result.value;
        }
      } catch (error) {
        if (isClosed) throw error;
        const mayGoOn = !(error instanceof DamagedObjectError) && (await isSound(source));
        if (!mayGoOn && at > range.start) throw error;
        if (!(await replace(at, error))) throw error;
      }
    }
  }

  return streamOf(parts(), () => {
    isClosed = true;
    source.opened.stream.destroy();
  });
}

/** Whether nobody has written to what the source gives; false where that cannot be known soon. */
async function isSound({ opened }: Source): Promise<boolean> {
  const asked = opened.isUnchanged?.() ?? Promise.resolve(true);
  return (await endsWithin(HEDGE_MS, asked)) && (await asked.catch(() => false));
}

const WRITTEN_TO = 'the object was written to while it was read';

/** Whether `work` has resolved or rejected by then. */
function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const ended = () => true;
  return orAfter(ms, work.then(ended, ended), () => false);
}
