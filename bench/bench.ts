import type { Database } from '../src/database/database.ts';
import type { ContestResult, Rules } from './contest.ts';
import type { ServerProcess } from './servers.ts';

/** wrk, or `load` as for everything else. */
export type BytesLoader = 'wrk' | 'node';

/** What a benchmark is run in: a seeded database, and where the product listens. */
export interface Bench {
  readonly rules: Rules;
  /** By which the bytes of images are loaded, one after the other. */
  readonly bytesLoaders: readonly BytesLoader[];
  readonly database: Database;
  readonly databaseUrl: string;
  readonly databasePid: number;
  readonly poolSize: number;
  /** A directory to work in, which is empty. */
  readonly directory: string;
  readonly product: ServerProcess;
  /** Starts one more of the product, on the same database and the same directory, with these arguments and settings. */
  readonly startProduct: (
    args: readonly string[],
    settings?: Record<string, string>,
  ) => Promise<ServerProcess>;
  readonly rootToken: string;
  /** Said at each result, before the table. */
  readonly report: (result: ContestResult) => void;
}
