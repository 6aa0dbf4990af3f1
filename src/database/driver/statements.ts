import { hash } from 'node:crypto';
import type { QueryOptions } from '../database.ts';
import { isOutdatedStatement } from './errors.ts';

/**
 * Most statements to prepare. Texts come from the code, so there are few; the limit bounds memory after a
 * mistake.
 */
const MAX_PREPARED_STATEMENTS = 1000;

/**
 * Mean duration of a quick statement. Includes the wait for its turn, so under load it exceeds PostgreSQL's
 * own time.
 */
const QUICK_MILLISECONDS = 50;

/** One text of SQL, with what is known about it. */
export class Statement {
  /** Whether it is a SELECT that locks no rows. */
  readonly reads: boolean;
  readonly #name: string | undefined;
  readonly #text: string;
  /**
   * Moving average of its durations, the latest weighted most; infinite before the first, so the statement is
   * not quick.
   */
  #milliseconds = Number.POSITIVE_INFINITY;

  constructor(name: string | undefined, text: string) {
    this.#name = name;
    this.#text = text;
    this.reads = /^\s*SELECT\b(?!.*\bFOR (UPDATE|SHARE|NO KEY UPDATE|KEY SHARE)\b)/is.test(text);
  }

  /** Returns the query for pg. Without a name, PostgreSQL plans it for its values at each execution. */
  with(values: readonly unknown[], { planned = false }: QueryOptions) {
    const name = planned ? undefined : this.#name;
    return { ...(name ? { name } : {}), text: this.#text, values: values as unknown[] };
  }

  /**
   * Returns whether it may share a connection. A write may wait for a lock, and the statements behind it
   * would wait too.
   */
  isQuick(): boolean {
    return this.reads && this.#milliseconds < QUICK_MILLISECONDS;
  }

  noteDuration(milliseconds: number): void {
    const before = this.#milliseconds;
    this.#milliseconds =
      before === Number.POSITIVE_INFINITY ? milliseconds : before * 0.8 + milliseconds * 0.2;
  }
}

/** Returns a function that finds the statement of a text. */
export function makeStatements(): (text: string) => Statement {
  const statements = new Map<string, Statement>();
  return (text) => {
    const known = statements.get(text);
    if (known) return known;
    if (statements.size >= MAX_PREPARED_STATEMENTS) return new Statement(undefined, text);
    const statement = new Statement(`fixative_${hash('sha256', text).slice(0, 32)}`, text);
    statements.set(text, statement);
    return statement;
  };
}

/**
 * Runs statements, and once more with new plans when tables have changed under a prepared one. The caller
 * must give up the connection of the first run.
 */
export function replanIfOutdated<Result>(run: (options: QueryOptions) => Promise<Result>): Promise<Result> {
  return run({}).catch((error) => {
    if (isOutdatedStatement(error)) return run({ planned: true });
    throw error;
  });
}
