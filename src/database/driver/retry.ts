import { DatabaseUnavailableError, isUnreachable } from './errors.ts';
import type { Reachability } from './reachability.ts';

/**
 * Runs work on the database. Waits first while the database is away, and retries when a connection breaks.
 * @param isUndone whether an error means that nothing was executed; if not, the work is not retried.
 * @throws DatabaseUnavailableError
 */
export type Retry = <Result>(
  work: () => Promise<Result>,
  isUndone: (error: unknown) => boolean,
) => Promise<Result>;

/** Several connections may break one after the other although the database is reachable. */
const MAX_TRIES = 5;

export function makeRetry(reachability: Pick<Reachability, 'isAway' | 'wait' | 'report'>): Retry {
  function attempt<Result>(
    work: () => Promise<Result>,
    isUndone: (error: unknown) => boolean,
    tries: number,
  ): Promise<Result> {
    const sent = reachability.isAway ? reachability.wait().then(work) : work();
    return sent.catch(async (error) => {
      // An inner Retry has already used up the tries.
      if (!isUnreachable(error) || (error instanceof DatabaseUnavailableError && error.isFinal)) throw error;
      reachability.report(error);
      if (tries === MAX_TRIES || !isUndone(error))
        throw new DatabaseUnavailableError({ cause: error, isFinal: true });
      await reachability.wait();
      return attempt(work, isUndone, tries + 1);
    });
  }
  return (work, isUndone) => attempt(work, isUndone, 1);
}
