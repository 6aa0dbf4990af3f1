import type { Config } from '../../config.ts';
import { openPostgresql } from '../../database/postgresql.ts';
import { type Finding, failure, messageOf, ok, warning } from './report.ts';

/** Seconds that a replica may be behind. */
const MAX_LAG_SECONDS = 10;

const STATE = `SELECT pg_is_in_recovery() AS recovery,
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
      ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END::float8 AS lag,
    (SELECT max(migration_name) FROM _prisma_migrations) AS migration`;

/** Checks that the replica answers, is one, and keeps up. */
export async function checkReplica(config: Config): Promise<Finding[]> {
  const url = config.databaseReplicaUrl ?? '';
  const { host } = new URL(url);
  try {
    const replica = await openPostgresql({ url, poolSize: 1, onError: () => {} });
    try {
      const [state] = await replica.query<{ recovery: boolean; lag: number | null }>(STATE);
      if (!state?.recovery)
        return [
          failure(
            `${host} of DATABASE_REPLICA_URL is no replica: it accepts writes. It is not read.`,
            'Name a streaming replica of DATABASE_URL, or remove the setting.',
          ),
        ];
      const lag = Math.round(state.lag ?? 0);
      return lag > MAX_LAG_SECONDS
        ? [
            warning(
              `The replica ${host} is ${lag} s behind, so the primary answers.`,
              'Look at pg_stat_replication of the primary, and at the load of the replica.',
            ),
          ]
        : [ok(`The replica ${host} answers and keeps up.`)];
    } finally {
      await replica.close();
    }
  } catch (error) {
    return [
      failure(
        `The replica ${host} cannot be asked: ${messageOf(error)}`,
        'Start it, or correct DATABASE_REPLICA_URL. Until then the primary answers.',
      ),
    ];
  }
}
