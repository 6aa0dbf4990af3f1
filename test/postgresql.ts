/**
 * Starts a temporary PostgreSQL server. As a program, `node test/postgresql.ts COMMAND [ARG…]` runs a command
 * with TEST_DATABASE_URL set to a superuser of the server, and exits with its code.
 *
 * The server listens on a free port of loopback only, with a random password: a superuser of PostgreSQL may
 * run programs, and other users of the machine can reach loopback too.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, chown, constants, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { constants as osConstants, setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

const DEBIAN_BINARIES = '/usr/lib/postgresql';
const START_SECONDS = 60;
const MAX_CONNECTIONS = 200;
/** Settings without durability, for a temporary database. */
const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

export interface Postgresql {
  /** Address of a superuser. It ends in `/postgres`; replace that by the name of another database. */
  readonly url: string;
  /** Process id of the postmaster, whose children serve the connections. */
  readonly pid: number;
  /** Closes every connection, stops the server and deletes its files. */
  stop(): Promise<void>;
}

export interface PostgresqlOptions {
  /** Keeps PostgreSQL's default durability, for benchmarks. Default: commits do not wait for the disk. */
  readonly durable?: boolean;
  /** Directory for its data, kept on stop and reused on start. Default: a temporary one. */
  readonly directory?: string;
  /** Port. Default: a free one. */
  readonly port?: number;
  /** Priority as of `nice`, 0 to 19; higher leaves more CPU to other programs. */
  readonly nice?: number;
}

/**
 * @throws Error that says what to install when PostgreSQL is missing, or with the end of the log when it does
 * not start.
 */
export async function startPostgresql(options: PostgresqlOptions = {}): Promise<Postgresql> {
  const binaries = await findBinaries();
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? await idsOf('postgres') : null;
  const kept = options.directory;
  if (kept) await mkdir(kept, { recursive: true });
  const directory = kept ?? (await mkdtemp(path.join(tmpdir(), 'fixative-postgresql-')));
  const tidy = () => (kept ? Promise.resolve() : rm(directory, { recursive: true, force: true }));
  try {
    const data = path.join(directory, 'data');
    const passwordFile = path.join(directory, 'password');
    const isThere = await access(path.join(data, 'PG_VERSION')).then(
      () => true,
      () => false,
    );
    const password = isThere ? await readFile(passwordFile, 'utf8') : randomBytes(18).toString('base64url');
    if (!isThere) {
      await writeFile(passwordFile, password, { mode: 0o600 });
      if (user) for (const each of [passwordFile, directory]) await chown(each, user.uid, user.gid);
      await run(
        path.join(binaries, 'initdb'),
        ['--pgdata', data, '--username=postgres', '--auth=scram-sha-256', '--pwfile', passwordFile]
          // The locale of PostgreSQL's container images and Debian. With `C` only ASCII has lower case.
          .concat('--encoding=UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions'),
        { cwd: directory, ...user },
      );
    }
    const port = options.port ?? (await freePort());
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: directory,
      max_connections: MAX_CONNECTIONS,
      ...(options.durable ? {} : NOT_DURABLE),
    };
    const server = spawn(
      path.join(binaries, 'postgres'),
      ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      // Detached: a Ctrl-C at the terminal is for the command, which may need its database while it stops.
      { cwd: directory, detached: true, stdio: ['ignore', 'ignore', 'pipe'], ...user },
    );
    if (options.nice !== undefined && server.pid !== undefined) setPriority(server.pid, options.nice);
    const exited = once(server, 'exit');
    const stop = async () => {
      // Kept data gets a fast shutdown. A temporary server stops at once, because nothing of it is used
      // again.
      if (isRunning(server)) server.kill(kept ? 'SIGINT' : 'SIGQUIT');
      await exited;
      await tidy();
    };
    const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
    await waitUntilReady(server, url).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return { url, pid: server.pid as number, stop };
  } catch (error) {
    await tidy();
    throw error;
  }
}

/** Waits until the server accepts connections, and reads its log from then on. */
async function waitUntilReady(server: ChildProcess, url: string): Promise<void> {
  let log = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
  });
  const deadline = Date.now() + START_SECONDS * 1000;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (!isRunning(server) || Date.now() > deadline) {
        throw new Error(`PostgreSQL did not start. The end of its log:\n${log}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/**
 * Returns the directory of `initdb` and `postgres`. Debian has one for each version, outside of the PATH; the
 * newest is used.
 */
export async function findBinaries(): Promise<string> {
  const versions = await readdir(DEBIAN_BINARIES).catch(() => []);
  const candidates = [
    ...versions
      .sort((a, b) => Number.parseFloat(b) - Number.parseFloat(a))
      .map((version) => path.join(DEBIAN_BINARIES, version, 'bin')),
    ...(process.env.PATH ?? '').split(path.delimiter).filter(Boolean),
  ];
  for (const directory of candidates) {
    const both = ['initdb', 'postgres'].map((name) => access(path.join(directory, name), constants.X_OK));
    if ((await Promise.allSettled(both)).every(({ status }) => status === 'fulfilled')) return directory;
  }
  throw new Error(
    `No PostgreSQL server was found: neither ${DEBIAN_BINARIES}/*/bin nor the PATH has initdb and postgres. Install it; on Debian and Ubuntu: apt-get install postgresql`,
  );
}

export async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (option) => (await run('id', [option, user])).stdout),
  );
  return { uid: Number(uid), gid: Number(gid) };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Runs a command. Returns its exit code, or 128 plus the number of the signal that ended it, as shells do.
 */
async function runOnce(command: string, args: readonly string[]): Promise<number> {
  let child: ChildProcess | undefined;
  let signalled: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      signalled ??= signal;
      // A terminal sends Ctrl-C to the command as well. A second signal would make it stop at once.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child?.kill(signal);
    });
  }
  const codeOf = (signal: NodeJS.Signals) => 128 + osConstants.signals[signal];
  const postgresql = await startPostgresql();
  try {
    if (signalled) return codeOf(signalled);
    child = spawn(command, args, {
      stdio: 'inherit',
      env: { ...process.env, TEST_DATABASE_URL: postgresql.url },
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals];
    return code ?? codeOf(signal);
  } finally {
    await postgresql.stop();
  }
}

if (import.meta.main) {
  const [command, ...args] = process.argv.slice(2);
  if (!command) process.stderr.write('Usage: node test/postgresql.ts COMMAND [ARG…]\n');
  process.exitCode = command
    ? await runOnce(command, args).catch((error: Error) => {
        process.stderr.write(`${error.message}\n`);
        return 127;
      })
    : 2;
}
