/**
 * Runs the tests of the store `s3` (test/storage/s3.test.ts) against a real server: `node test/s3-ceph.ts
 * [COMMAND [ARG…]]`. The default command is vitest. It finds the server by TEST_S3_ENDPOINT,
 * TEST_S3_ACCESS_KEY_ID and TEST_S3_SECRET_ACCESS_KEY.
 *
 * The server is Ceph's gateway, radosgw, with one monitor and one OSD that keeps objects in memory.
 * Everything listens on free ports of loopback only, with keys made for the run. The start takes some 15
 * seconds. Debian's packages are installed where they are missing and apt-get may be used.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const PACKAGES = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common'];
const START_SECONDS = 90;
const TESTS = ['vitest', 'run', 'test/storage/s3.test.ts'];

interface Ceph {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Stops every process and deletes all files. */
  stop(): Promise<void>;
}

/** @throws Error that says what is missing, or with the end of the logs when it does not start. */
export async function startCeph(): Promise<Ceph> {
  await requirePackages();
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-ceph-'));
  const daemons: ChildProcess[] = [];
  const at = (name: string) => path.join(directory, name);
  const stop = async () => {
    // Nothing is kept, so the processes need no orderly stop.
    for (const daemon of daemons.reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const exited = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await exited;
    }
    await rm(directory, { recursive: true, force: true });
  };
  const run = (command: string, ...args: string[]) =>
    promisify(execFile)(command, args, {
      env: { ...process.env, CEPH_CONF: at('ceph.conf') },
      timeout: 60_000,
    });
  const start = async (command: string, ...args: string[]) => {
    const log = await open(at(`log/${command}.out`), 'w');
    daemons.push(
      spawn(command, args, {
        env: { ...process.env, CEPH_CONF: at('ceph.conf') },
        // Detached: a Ctrl-C at the terminal is for the tests, which then empty their buckets.
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      }),
    );
    await log.close();
  };

  try {
    for (const name of ['mon', 'osd', 'rgw', 'run', 'log']) await mkdir(at(name));
    const [port, monitor, monitorV1] = await freePorts(3);
    const id = randomUUID();
    await writeFile(at('ceph.conf'), configuration({ directory, id, port, monitor, monitorV1 }));

    const addresses = `[v2:127.0.0.1:${monitor},v1:127.0.0.1:${monitorV1}]`;
    await run('monmaptool', '--create', '--fsid', id, '--addv', 'a', addresses, at('monmap'));
    const keyring = ['ceph-authtool', at('keyring'), '--gen-key', '-n'] as const;
    await run(...keyring, 'mon.', '--create-keyring', '--cap', 'mon', 'allow *');
    for (const name of ['client.admin', 'client.rgw']) {
      await run(...keyring, name, ...['mon', 'osd', 'mgr'].flatMap((cap) => ['--cap', cap, 'allow *']));
    }
    await run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', at('monmap'), '--keyring', at('keyring'));
    await start('ceph-mon', '-i', 'a', '-f');
    await eventually(() => run('ceph', '-s', '--connect-timeout', '5'));

    const osd = randomUUID();
    await run('ceph', 'osd', 'new', osd, '0');
    const { stdout } = await run(
      'ceph',
      ...['auth', 'get-or-create', 'osd.0', 'mon', 'allow profile osd', 'osd', 'allow *'],
    );
    await writeFile(at('keyring'), (await readFile(at('keyring'), 'utf8')) + stdout);
    await run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd);
    await start('ceph-osd', '-i', '0', '-f');
    await start('radosgw', '-n', 'client.rgw', '-f');

    const endpoint = `http://127.0.0.1:${port}`;
    await eventually(() => fetch(endpoint).then((response) => response.text()));
    const accessKeyId = randomBytes(10).toString('hex').toUpperCase();
    const secretAccessKey = randomBytes(20).toString('hex');
    await run(
      'radosgw-admin',
      ...['user', 'create', '--uid=fixative', '--display-name=Fixative'],
      ...[`--access-key=${accessKeyId}`, `--secret=${secretAccessKey}`],
    );
    return { endpoint, accessKeyId, secretAccessKey, stop };
  } catch (error) {
    const logs = await Promise.all(
      ['ceph-mon', 'ceph-osd', 'radosgw'].map(async (name) => {
        const text = await readFile(at(`log/${name}.out`), 'utf8').catch(() => '');
        return `${name}: ${text.slice(-1000)}`;
      }),
    );
    await stop();
    throw new Error(`Ceph did not start: ${(error as Error).message}\n${logs.join('\n')}`, { cause: error });
  }
}

async function requirePackages(): Promise<void> {
  const run = promisify(execFile);
  const missing: string[] = [];
  for (const command of ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph'])
    await run('which', [command]).catch(() => missing.push(command));
  if (missing.length === 0) return;
  const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...PACKAGES];
  if (process.getuid?.() !== 0) {
    throw new Error(`${missing.join(', ')} are not here. Install them: ${install.join(' ')}`);
  }
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, maxBuffer: 64 * 1024 * 1024 };
  await run('apt-get', ['update', '-qq'], options);
  await run('apt-get', install.slice(1), options);
}

async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + START_SECONDS * 1000;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

/** Returns free ports. All are open until the last is found, so that no two are the same. */
async function freePorts(count: 3): Promise<[number, number, number]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    ports.push((server.address() as { port: number }).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports as [number, number, number];
}

/** Configuration for one daemon of each kind, which Ceph would otherwise report as a degraded cluster. */
function configuration(options: {
  directory: string;
  id: string;
  port: number;
  monitor: number;
  monitorV1: number;
}): string {
  const { directory, id, port, monitor, monitorV1 } = options;
  return `[global]
fsid = ${id}
mon host = [v2:127.0.0.1:${monitor},v1:127.0.0.1:${monitorV1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${directory}/keyring
mon data avail warn = 1
mon data avail crit = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = ${directory}/run
log file = ${directory}/log/$name.log
admin socket = ${directory}/run/$name.asok
debug mon = 0
debug osd = 0
debug ms = 0
debug rgw = 0
[mon.a]
mon data = ${directory}/mon
[osd.0]
osd data = ${directory}/osd
osd memory target = 939524096
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw data = ${directory}/rgw
rgw enable usage log = false
rgw dns name = localhost
`;
}

/** Runs a command. Returns its exit code; 1 when a signal ended it. */
async function runOnce(command: string, args: readonly string[]): Promise<number> {
  let child: ChildProcess | undefined;
  let signalled = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      signalled = true;
      // A terminal sends Ctrl-C to the command as well. A second signal would make it stop at once.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child?.kill(signal);
    });
  }
  const ceph = await startCeph();
  try {
    if (signalled) return 1;
    child = spawn(command, args, {
      stdio: 'inherit',
      env: {
        ...process.env,
        TEST_S3_ENDPOINT: ceph.endpoint,
        TEST_S3_ACCESS_KEY_ID: ceph.accessKeyId,
        TEST_S3_SECRET_ACCESS_KEY: ceph.secretAccessKey,
      },
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } finally {
    await ceph.stop();
  }
}

if (import.meta.main) {
  const [command = '', ...args] = process.argv.length > 2 ? process.argv.slice(2) : TESTS;
  process.exitCode = await runOnce(command, args).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    return 127;
  });
}
