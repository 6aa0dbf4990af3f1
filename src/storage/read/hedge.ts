import { orAfter } from '../../time.ts';

/** How long a store may keep a reader waiting before the next one is asked as well. */
export const HEDGE_MS = 1000;

interface Attempt<Subject, Result> {
  readonly subject: Subject;
  readonly result: Result;
}

/**
 * Asks one after the other until an answer is good. One that is silent for a second is not waited for alone: the next is asked beside it, and whichever
 * is first with a good answer wins.
 * @param options.isGood whether nobody else is to be asked.
 * @param options.onOther gets each other answer: those that came before a good one, in time, and those that come after it, later.
 * @returns null when no answer was good. @throws what `ask` throws before there is a good answer.
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
      // What is asked already is no reason to ask the next later than without it.
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

/** The first that is done, or null after HEDGE_MS where another can be asked. */
function firstOf<Result>(running: Iterable<Promise<Result>>, hedges: boolean): Promise<Result | null> {
  const first = Promise.race(running);
  return hedges ? orAfter(HEDGE_MS, first, () => null) : first;
}
