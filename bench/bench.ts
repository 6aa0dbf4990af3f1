import type { Database } from '../src/database/database.ts';
import type { ContestResult, Rules } from './contest.ts';
import type { ServerProcess } from './servers.ts';

/** Load generator for bytes: wrk, or `loadTarget` of load.ts. */
export type BytesLoader = 'wrk' | 'node';

/** Environment of a benchmark: rules, a seeded database and a running product. */
export interface Bench {
  readonly rules: Rules;
  /** Load generators for benchmarks of bytes; each contest is run once with each. */
  readonly bytesLoaders: readonly BytesLoader[];
  readonly database: Database;
  readonly databaseUrl: string;
  readonly databasePid: number;
  readonly poolSize: number;
  /** Empty working directory. */
  readonly directory: string;
  readonly product: ServerProcess;
  /** Starts another process of the product on the same database and directory. */
  readonly startProduct: (
    args: readonly string[],
    settings?: Record<string, string>,
  ) => Promise<ServerProcess>;
  readonly rootToken: string;
  /** Prints a result as soon as there is one; the table follows at the end. */
  readonly report: (result: ContestResult) => void;
}
