import { withTimeLimit } from '../../time.ts';

/** Milliseconds after which a silent store is hedged: the next store is asked as well. */
export const HEDGE_MS = 1000;

interface Attempt<Subject, Result> {
  readonly subject: Subject;
  readonly result: Result;
}

/**
 * Asks subjects one after the other until a result is good. When one is silent for HEDGE_MS, the next is
 * asked in parallel. The first good result wins.
 * @param options.isGood whether a result ends the search.
 * @param options.onOther is called with each other result. `isLate`: it came after the good one.
 * @returns null if no result was good.
 * @throws what `ask` throws before there is a good result.
 */
export async function askInTurn<Subject, Result>(
  subjects: readonly Subject[],
  ask: (subject: Subject) => Promise<Result>,
  options: {
    readonly isGood: (result: Result) => boolean;
    readonly onOther: (attempt: Attempt<Subject, Result>, isLate: boolean) => Promise<void>;
  },
): Promise<Attempt<Subject, Result> | null> {
  const waiting = [...subjects];
  const running = new Set<Promise<Attempt<Subject, Result> & { done: () => void }>>();
  const begin = () => {
    const subject = waiting.shift() as Subject;
    const attempt = ask(subject).then((result) => ({ subject, result, done: () => running.delete(attempt) }));
    running.add(attempt);
  };
  try {
    while (waiting.length > 0 || running.size > 0) {
      if (running.size === 0) begin();
      const first = await firstOf(running, waiting.length > 0);
      if (first === null) {
        begin();
        continue;
      }
      first.done();
      if (options.isGood(first.result)) return first;
      await options.onOther(first, false);
      // A bad result starts the next attempt at once, even while hedged attempts run.
      if (waiting.length > 0) begin();
    }
    return null;
  } finally {
    for (const attempt of running)
      attempt.then(
        (late) => options.onOther(late, true),
        () => {},
      );
  }
}

/** Returns the first that is done; null after HEDGE_MS if `hedges`. */
function firstOf<Result>(running: Iterable<Promise<Result>>, hedges: boolean): Promise<Result | null> {
  const first = Promise.race(running);
  return hedges ? withTimeLimit(HEDGE_MS, first, () => null) : first;
}
