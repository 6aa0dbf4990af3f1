import { setTimeout as sleep } from 'node:timers/promises';
import { FixativeError, NotFoundError } from '../../errors.ts';
import type { WatchDeps } from '../events/watch.ts';
import { findRuns, isOver, type MaintenanceRun } from './run.ts';

/**
 * Milliseconds between two reads of a watched run. Its progress is written each second, by any server, so a
 * notification would save nothing.
 */
const READ_EVERY_MS = 500;

/**
 * Yields a run now and after each change, at most twice a second, and ends with the run. Not a generator:
 * `return` would wait there for the next read.
 * @throws NotFoundError when there is no such run; FixativeError OVERLOADED when the server stops.
 */
export function watchRun(
  { database, imageEvents }: WatchDeps,
  id: string,
): AsyncIterableIterator<MaintenanceRun> {
  const ending = new AbortController();
  let isServerStopping = false;
  let unwatch: Promise<() => void> | null = null;
  let last: string | null = null;
  let isLast = false;

  async function next(): Promise<IteratorResult<MaintenanceRun>> {
    // Tells when the server stops; the changes of images do not matter.
    unwatch ??= imageEvents.watch(
      () => {},
      () => {
        isServerStopping = true;
        ending.abort();
      },
    );
    await unwatch;
    while (!isLast && !ending.signal.aborted) {
      if (last !== null) await sleep(READ_EVERY_MS, undefined, { signal: ending.signal }).catch(() => {});
      if (ending.signal.aborted) break;
      const [run] = await findRuns(database, [id]);
      if (!run && last === null) throw new NotFoundError(`There is no run ${id}.`, { path: ['id'] });
      if (!run) break;
      isLast = isOver(run);
      const text = JSON.stringify(run);
      if (text === last) continue;
      last = text;
      return { done: false, value: run };
    }
    if (isServerStopping && !isLast)
      throw new FixativeError('OVERLOADED', 'The server stops. Connect again.', { retryable: true });
    return end();
  }

  async function end(): Promise<IteratorResult<MaintenanceRun>> {
    isLast = true;
    ending.abort();
    (await unwatch?.catch(() => null))?.();
    return { done: true, value: undefined };
  }

  return {
    async next() {
      try {
        return await next();
      } catch (error) {
        await end();
        throw error;
      }
    },
    return: end,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
