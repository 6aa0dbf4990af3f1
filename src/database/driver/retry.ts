import { DatabaseUnavailableError, isUnreachable } from './errors.ts';
import type { Reachability } from './reachability.ts';

/**
 * Runs work on the database, again when its connection broke, and after a moment when the database is away.
 * @param isUndone whether an error means that nothing was done; otherwise the work is not run again.
 * @throws DatabaseUnavailableError
 */
export type Patiently = <Result>(
  work: () => Promise<Result>,
  isUndone: (error: unknown) => boolean,
) => Promise<Result>;

/** Connections may break one after the other while the database is there. */
const MAX_TRIES = 5;

export function makePatience(reachability: Pick<Reachability, 'isAway' | 'wait' | 'report'>): Patiently {
  function attempt<Result>(
    work: () => Promise<Result>,
    isUndone: (error: unknown) => boolean,
    tries: number,
  ): Promise<Result> {
    const sent = reachability.isAway ? reachability.wait().then(work) : work();
    return sent.catch(async (error) => {
      // What has been tried patiently already is not tried as often again.
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
