import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { Database, Queryable } from './database.ts';
import { codesIn, isUnreachable } from './driver/errors.ts';
import { shareRuns } from './shared-run.ts';

/** Part of a database that reads need. */
export type ReadableDatabase = Pick<Database, 'query' | 'snapshot'>;

/** Reads that may go to a replica. */
export interface Reads {
  /**
   * Returns a database for reads that has everything that was committed before the call: the replica if it
   * has caught up, otherwise the primary.
   */
  reads(): Promise<ReadableDatabase>;
  close(): Promise<void>;
}

/** Reads of the one database. */
export const plainReads = (database: Database): Reads => ({
  reads: async () => database,
  close: async () => {},
});

/** Longest wait for a replica that is behind, in milliseconds. */
const WAIT_MS = 30;
const LOOK_EVERY_MS = 3;
/** Time for which a replica that failed is not asked, in milliseconds. */
const REST_MS = 5000;

/** Positions of the write-ahead log, in bytes: on the disk of the primary, and replayed by a replica. */
const WRITTEN = `SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint AS at`;
const REPLAYED = `SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END AS at`;

/** SQLSTATEs of a read that replay has cancelled (https://www.postgresql.org/docs/current/hot-standby.html). */
const CONFLICTS = ['40001', '40P01', '57P01', '57P02', '57P03'];

/**
 * Sends reads to a streaming replica. Before each it compares the positions of the two servers, so a client
 * reads what it, or anybody else, has written at any server. While the replica is away, or behind by more
 * than WAIT_MS, the primary answers.
 * @param openReplica opens the replica; it is called again after an error.
 */
export function makeReplicaReads(
  primary: Database,
  openReplica: () => Promise<Database>,
  { log }: { readonly log: Logger },
): Reads {
  let replica: Database | null = null;
  let opening: Promise<void> | null = null;
  let restsUntil = 0;
  /** Whether the last attempt to read the replica failed. */
  let isOut = false;
  let isClosed = false;

  const written = shareRuns(async () => positionOf(await primary.query<Position>(WRITTEN)) ?? Infinity);
  // Not remembered between two reads: a replica that restarts may go back a little, and so does a failover.
  const replayed = shareRuns(async () => {
    const at = positionOf((await replica?.query<Position>(REPLAYED)) ?? []);
    if (at === null) throw new Error('It is no replica: it is not in recovery.');
    isOut = false;
    return at;
  });

  function rest(error: unknown): void {
    if (!isOut)
      log.warn({ err: error }, 'the replica of DATABASE_REPLICA_URL cannot be read, so the primary answers');
    isOut = true;
    restsUntil = Date.now() + REST_MS;
  }

  function open(): void {
    opening ??= openReplica()
      .then((opened) => {
        if (isClosed) return opened.close();
        replica = opened;
      })
      .catch(rest)
      .finally(() => {
        opening = null;
      });
  }

  async function hasCaughtUp(target: number): Promise<boolean> {
    for (const deadline = Date.now() + WAIT_MS; ; await sleep(LOOK_EVERY_MS)) {
      if ((await replayed()) >= target) return true;
      if (Date.now() > deadline) return false;
    }
  }

  /** Sends a read to the replica; after an error of the replica to the primary. */
  async function send<Result>(work: (database: ReadableDatabase) => Promise<Result>): Promise<Result> {
    try {
      return await work(replica ?? primary);
    } catch (error) {
      const isConflict = codesIn(error).some((code) => CONFLICTS.includes(code));
      if (!isConflict && !isUnreachable(error)) throw error;
      if (!isConflict) rest(error);
      return work(primary);
    }
  }
  const readable: ReadableDatabase = {
    query: <Row>(...given: Parameters<Queryable['query']>) =>
      send((database) => database.query<Row>(...given)),
    snapshot: (work) => send((database) => database.snapshot(work)),
  };

  open();
  return {
    async reads() {
      if (Date.now() < restsUntil) return primary;
      if (replica === null) open();
      if (replica === null || replica.isAway) return primary;
      // Without the primary it is not known what the replica lacks, so the read fails as without a replica.
      const target = await written().catch(() => null);
      if (target === null) return primary;
      return (await hasCaughtUp(target).catch((error) => void rest(error))) ? readable : primary;
    },
    async close() {
      isClosed = true;
      await opening;
      await replica?.close();
    },
  };
}

type Position = { readonly at: number | null };

const positionOf = ([row]: readonly Position[]) => row?.at ?? null;
