/**
 * `npm run bench:idle [-- --seconds 60]`: the CPU time and the transactions a minute of a server without
 * requests, on a PostgreSQL server started for the run.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPostgresql } from '../test/postgresql.ts';
import { startServer } from './servers.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const seconds = Number(values.seconds);
/** Time after the start until its background work is done. */
const SETTLE_SECONDS = 15;
/** Clock ticks of /proc in a second (`getconf CLK_TCK`). */
const TICKS = 100;

const directory = await mkdtemp(path.join(tmpdir(), 'fixative-idle-'));
const postgresql = await startPostgresql();
try {
  const server = await startServer(['src/main.ts', 'serve'], {
    directory,
    env: { DATABASE_URL: postgresql.url, DATA_DIR: directory, LOG_LEVEL: 'error', PORT: '0' },
  });
  const client = new pg.Client({ connectionString: postgresql.url });
  await client.connect();
  try {
    await sleep(SETTLE_SECONDS * 1000);
    const before = await cost(client, server.pid);
    await sleep(seconds * 1000);
    const after = await cost(client, server.pid);
    const minute = (figure: 'transactions' | 'milliseconds') =>
      Math.round(((after[figure] - before[figure]) * 60) / seconds);
    process.stdout.write(
      `${minute('transactions')} transactions and ${minute('milliseconds')} ms of CPU time a minute\n`,
    );
  } finally {
    await client.end();
    await server.stop();
  }
} finally {
  await postgresql.stop();
  await rm(directory, { recursive: true, force: true });
}

async function cost(client: pg.Client, pid: number) {
  const { rows } = await client.query(
    `SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()`,
  );
  // The second field is a name in parentheses, which may contain spaces (proc_pid_stat(5)).
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)?.split(' ') ?? [];
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { transactions: Number(rows[0].count), milliseconds: (ticks * 1000) / TICKS };
}
