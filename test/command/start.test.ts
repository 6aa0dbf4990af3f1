import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** By when a process has to have ended; on a slow machine, too. */
const SECONDS = 30;

/** These run whole processes on the embedded database, whatever the other tests run on. */
describe('a start', () => {
  let directory: string;
  let names = 0;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-start-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  interface Started {
    readonly child: ChildProcess;
    readonly dataDirectory: string;
    /**
     * Resolves when the process has ended: with which code, and how long after the last thing that it said.
     */
    readonly ended: Promise<{ code: number | null; secondsAfterNote: number }>;
    note(): string;
  }

  function start(args: string[], environment: Record<string, string> = {}): Started {
    const dataDirectory = environment.DATA_DIR ?? path.join(directory, `data-${names++}`);
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', PORT: '0', DATA_DIR: dataDirectory, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    let noted = performance.now();
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        text += chunk;
        noted = performance.now();
      });
    const ended = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      secondsAfterNote: (performance.now() - noted) / 1000,
    }));
    return { child, dataDirectory, ended, note: () => text };
  }

  async function until(started: Started, what: RegExp): Promise<void> {
    while (!what.test(started.note())) {
      if (started.child.exitCode !== null) throw new Error(`It ended: ${started.note()}`);
      await sleep(50);
    }
  }

  async function stop(started: Started, signal: NodeJS.Signals = 'SIGTERM') {
    const from = performance.now();
    started.child.kill(signal);
    const { code } = await started.ended;
    return { code, seconds: (performance.now() - from) / 1000 };
  }

  const noneThere = () => ({
    PERSISTED_OPERATIONS: 'only',
    PERSISTED_OPERATIONS_FILE: path.join(directory, 'none.json'),
  });

  test.skipIf(!existsSync('/proc/self/cmdline') || totalmem() < 1.1 * 1024 ** 3)(
    'bounds the memory of its process, unless whoever starts it has said how large it may be',
    { timeout: 120_000 },
    async () => {
      const flagsOf = async (environment: Record<string, string>) => {
        const started = start(['serve'], environment);
        await until(started, /GraphQL/);
        const [line, variables] = await Promise.all(
          ['cmdline', 'environ'].map((file) => readFile(`/proc/${started.child.pid}/${file}`, 'utf8')),
        );
        started.child.kill();
        expect((await started.ended).code).toBe(0);
        const ofMalloc = variables?.split('\0').filter((variable) => variable.startsWith('MALLOC_')) ?? [];
        return [...(line?.split('\0') ?? []).filter((word) => word.startsWith('--m')), ...ofMalloc.sort()];
      };
      const ofMalloc = [
        'MALLOC_ARENA_MAX=2',
        'MALLOC_MMAP_THRESHOLD_=65536',
        'MALLOC_TRIM_THRESHOLD_=131072',
      ];
      expect(await flagsOf({})).toEqual([
        '--max-old-space-size=512',
        '--max-semi-space-size=16',
        ...ofMalloc,
      ]);
      const told = {
        NODE_OPTIONS: '--max-old-space-size=300 --max-semi-space-size=20',
        MALLOC_ARENA_MAX: '4',
      };
      expect(await flagsOf(told)).toEqual(['MALLOC_ARENA_MAX=4']);
      expect(await flagsOf({ NODE_OPTIONS: '--max-old-space-size=300' })).toEqual([
        '--max-semi-space-size=16',
        ...ofMalloc,
      ]);
    },
  );

  test('that fails after the queue was opened, and after the database was made, ends', async () => {
    const failed = start(['serve'], noneThere());
    const { code, secondsAfterNote } = await failed.ended;
    expect([code, failed.note()]).toEqual([2, expect.stringContaining('none.json')]);
    expect(secondsAfterNote).toBeLessThan(SECONDS);
  }, 120_000);

  test('that fails while the queue is opened ends', async () => {
    const first = start(['serve']);
    await until(first, /is ready/);
    await stop(first);
    const database = await PGlite.create(path.join(first.dataDirectory, 'database'));
    await database.exec('ALTER TABLE pgboss.queue RENAME TO queue_of_somebody_else');
    await database.close();
    const failed = start(['serve'], { DATA_DIR: first.dataDirectory });
    const { code, secondsAfterNote } = await failed.ended;
    expect([code, failed.note()]).toEqual([1, expect.stringMatching(/queue/)]);
    expect(secondsAfterNote).toBeLessThan(SECONDS);
  }, 120_000);

  test.each([0, 300, 800, 1500, 2500, 4000])(
    'ends with 0 when it is told to stop after %d ms',
    async (wait) => {
      const started = start(['serve']);
      await sleep(wait);
      const { code, seconds } = await stop(started, wait % 1000 === 0 ? 'SIGTERM' : 'SIGINT');
      // null: the signal came before the server listened for signals, so the system ended it.
      expect([0, null]).toContain(code);
      expect(seconds).toBeLessThan(SECONDS);
      // The data directory is intact: the server starts again.
      if (wait < 2500) return;
      const again = start(['serve'], { DATA_DIR: started.dataDirectory });
      await until(again, /is ready/);
      expect((await stop(again)).code).toBe(0);
    },
    120_000,
  );

  test.skipIf(process.platform === 'win32')(
    'that npm has begun stops with the shell of npm, which keeps SIGTERM to itself',
    async () => {
      const dataDirectory = path.join(directory, `data-${names++}`);
      // `exit 7` keeps the shell running: without a further command, it would replace itself by the server.
      const shell = spawn('/bin/sh', ['-c', '"$0" "$1" serve; exit 7', process.execPath, MAIN], {
        cwd: directory,
        env: {
          PATH: process.env.PATH ?? '',
          PORT: '0',
          DATA_DIR: dataDirectory,
          npm_lifecycle_event: 'start',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      for (const stream of [shell.stdout, shell.stderr])
        stream.on('data', (chunk) => {
          said += chunk;
        });
      // Both ends of the pipes are closed when the server has ended.
      const ended = once(shell, 'close');
      while (!/is ready/.test(said)) await sleep(50);
      shell.kill('SIGTERM');
      await ended;
      expect(said).toContain('Stopping: finishing what is in progress.');
      const again = start(['serve'], { DATA_DIR: dataDirectory });
      await until(again, /is ready/);
      expect((await stop(again)).code).toBe(0);
    },
    120_000,
  );

  /**
   * A server that takes connections and says nothing. @param run is given when the first of them has come,
   * too.
   */
  async function silent(run: (port: number, connected: Promise<unknown>) => Promise<void>): Promise<void> {
    const server = createServer(() => {});
    const connected = once(server, 'connection');
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const sockets = new Set<import('node:net').Socket>();
    server.on('connection', (socket) => sockets.add(socket.on('error', () => {})));
    try {
      await run((server.address() as AddressInfo).port, connected);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  }

  test.each(['serve', 'work'])(
    'of %s that waits for a silent database ends when it is told to stop',
    async (command) => {
      await silent(async (port, connected) => {
        const started = start([command], { DATABASE_URL: `postgresql://a:b@127.0.0.1:${port}/c` });
        await connected;
        const { code, seconds } = await stop(started);
        expect(code).toBe(0);
        expect(seconds).toBeLessThan(SECONDS);
      });
    },
    120_000,
  );

  test('of several processes that waits for a silent database ends when it is told to stop', async () => {
    await silent(async (port, connected) => {
      const url = `postgresql://a:b@127.0.0.1:${port}/c`;
      const started = start(['serve', '--processes', '2'], { DATABASE_URL: url });
      await connected;
      const { code, seconds } = await stop(started);
      expect(code).toBe(0);
      expect(seconds).toBeLessThan(SECONDS);
    });
  }, 120_000);
});

test('a command prints all of it for a reader that is slow', async () => {
  // A pipe holds 64 KiB, most of which is taken already.
  const lengthOf = async (reader: string) => {
    const { stdout } = await promisify(execFile)('/bin/sh', [
      '-c',
      `(head -c 60000 /dev/zero; "$0" "$1" schema) | (${reader})`,
      process.execPath,
      MAIN,
    ]);
    return Number(stdout);
  };
  const begun = performance.now();
  const all = await lengthOf('wc -c');
  expect(all).toBeGreaterThan(100_000);
  // By then everything is printed but what does not fit, and the process has waited for it.
  const seconds = Math.ceil((2 * (performance.now() - begun)) / 1000) + 4;
  expect(await lengthOf(`sleep ${seconds}; wc -c`)).toBe(all);
}, 240_000);
