/**
 * A PostgreSQL server that is made, used and thrown away. Run as a program it is there for one command:
 * `node test/postgresql.ts COMMAND [ARG…]` runs it with TEST_DATABASE_URL set to a superuser of the server, and ends as it ended.
 *
 * It listens on a free port of loopback only, and asks for a password that nobody else is told: a superuser of PostgreSQL may run
 * programs, and other users of the machine reach loopback too.
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
/** What a database is spared that is thrown away anyhow. */
const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

export interface Postgresql {
  /** As a superuser; `/postgres` at its end, to be replaced by the name of a database of one's own. */
  readonly url: string;
  /** The process whose children serve the connections. */
  readonly pid: number;
  /** Cuts every connection and leaves nothing behind. */
  stop(): Promise<void>;
}

export interface PostgresqlOptions {
  /** Leaves PostgreSQL's own defaults on, for measuring; without it, a commit waits for no disk. */
  readonly durable?: boolean;
  /** A directory for its data that is kept when it stops, and gone on with when it is there already; without it, one that goes with it. */
  readonly directory?: string;
  /** Where it listens; without it, at a port that is free. */
  readonly port?: number;
  /** So much room is left to other programs: 0 to 19, as `nice` has it. */
  readonly nice?: number;
}

/** @throws Error that says what to install when there is no PostgreSQL, or with the server's log when it does not start. */
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
          // The locale that PostgreSQL's container images and Debian have; with `C` only ASCII has lower case.
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
      // Detached: a Ctrl-C at the terminal is for the command, which may still need its database to end well.
      { cwd: directory, detached: true, stdio: ['ignore', 'ignore', 'pipe'], ...user },
    );
    if (options.nice !== undefined && server.pid !== undefined) setPriority(server.pid, options.nice);
    const exited = once(server, 'exit');
    const stop = async () => {
      // What is kept is shut down in good order; what is not, at once: what that leaves would be recovered at the next start.
      if (isRunning(server)) server.kill(kept ? 'SIGINT' : 'SIGQUIT');
      await exited;
      await tidy();
    };
    const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
    await accepts(server, url).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return { url, pid: server.pid as number, stop };
  } catch (error) {
    await tidy();
    throw error;
  }
}

/** Resolves when the server takes connections; keeps its log flowing from then on. */
async function accepts(server: ChildProcess, url: string): Promise<void> {
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
        throw new Error(`PostgreSQL did not start. Its log ends so:\n${log}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** The directory of `initdb` and `postgres`: Debian keeps them off the PATH, a directory for each version; the newest is taken. */
async function findBinaries(): Promise<string> {
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
    `There is no PostgreSQL server here: neither ${DEBIAN_BINARIES}/*/bin nor the PATH has initdb and postgres. Install it; on Debian and Ubuntu: apt-get install postgresql`,
  );
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
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

/** @returns the exit code of the command, or 128 and the number of the signal that ended it, as shells say it. */
async function runOnce(command: string, args: readonly string[]): Promise<number> {
  let child: ChildProcess | undefined;
  let signalled: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      signalled ??= signal;
      // A terminal sends Ctrl-C to the command as well, and a second one would tell it to stop at once.
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
