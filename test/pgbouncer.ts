import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './postgresql.ts';

export interface PgBouncer {
  /** The given address, through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

/** PgBouncer (https://www.pgbouncer.org) with its defaults, in front of the server of an address. */
export async function startPgBouncer(
  server: string,
  poolMode: 'session' | 'transaction',
): Promise<PgBouncer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-pgbouncer-'));
  const port = await freePort();
  const { hostname, port: serverPort, username, password, pathname } = new URL(server);
  const file = path.join(directory, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
* = host=${hostname} port=${serverPort} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
default_pool_size = 60
max_client_conn = 200
${process.getuid?.() === 0 ? 'user = postgres' : ''}
`,
  );
  await chmod(directory, 0o755);
  const child = spawn('pgbouncer', ['-q', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  const url = `postgresql://${username}:x@127.0.0.1:${port}${pathname}`;
  for (let tries = 0; ; tries++) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    const isThere = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    if (isThere) break;
    if (tries > 100 || child.exitCode !== null) throw new Error('PgBouncer does not start.');
    await sleep(50);
  }
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      child.kill('SIGINT');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
