import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, makeDatabase, ROOT_TOKEN } from '../harness.ts';
import { freePort } from '../postgresql.ts';
import { MAIN, runCommand, type ServerProcess, startServer } from './server.ts';

const COUNT = 3;

test('on the embedded database is rejected, with what to do', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-processes-'));
  const { code, log } = await runCommand(['serve', '--processes', '2'], { DATA_DIR: directory });
  expect(code).toBe(2);
  expect(log).toContain('DATABASE_URL');
  expect(await readdir(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

describe.runIf(process.env.TEST_DATABASE_URL)('several processes that serve', () => {
  let directory: string;
  let database: { url: string; drop(): Promise<void> };
  let server: ServerProcess;
  let metricsPort: number;
  beforeAll(async () => {
    metricsPort = await freePort();
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-processes-'));
    database = (await makeDatabase()) as typeof database;
    server = await startServer(
      {
        DATABASE_URL: database.url,
        DATA_DIR: directory,
        FIXATIVE_ROOT_TOKEN: ROOT_TOKEN,
        LOG_LEVEL: 'warn',
        METRICS_PORT: String(metricsPort),
      },
      ['serve', '--processes', String(COUNT)],
    );
  });
  afterAll(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  /** By a connection of its own, which the next process is handed. */
  async function byItself<Result>(send: (dispatcher: Agent) => Promise<Result>): Promise<Result> {
    const dispatcher = new Agent({ pipelining: 0 });
    return send(dispatcher).finally(() => dispatcher.close());
  }

  const ask = (query: string): Promise<unknown> =>
    byItself(async (dispatcher) => {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_TOKEN}` },
        body: JSON.stringify({ query }),
        dispatcher,
      });
      return response.json();
    });

  const children = async () => {
    const tasks = await readFile(`/proc/${server.child.pid}/task/${server.child.pid}/children`, 'utf8');
    return tasks.trim().split(' ').filter(Boolean).map(Number);
  };

  test('all respond, one runs the workers, and each accepts the login code', async () => {
    expect(await children()).toHaveLength(COUNT);
    const made = await Promise.all(
      Array.from({ length: 2 * COUNT }, () =>
        ask(
          'mutation { generateImage(input: { prompt: "a fox" }) { images { status } userErrors { message } } }',
        ),
      ),
    );
    for (const each of made)
      expect(each).toEqual({ data: { generateImage: { images: [{ status: 'SUCCESS' }], userErrors: [] } } });
    expect(await ask('{ images(first: 1) { totalCount } }')).toEqual({
      data: { images: { totalCount: 2 * COUNT } },
    });
    const code = /code=(\S+)/.exec(server.out())?.[1] ?? '';
    for (let i = 0; i < 2 * COUNT; i++) {
      const { headers } = await byItself((dispatcher) =>
        fetch(`${server.url}/login?code=${code}`, { redirect: 'manual', dispatcher }),
      );
      expect(headers.get('set-cookie')).toContain('fixative_session');
    }
  });

  test('metrics are summed over the processes, on both ports, and do not fall when one is killed', async () => {
    const scrape = async (address: string) => {
      const read = (dispatcher: Agent) =>
        fetch(address, { dispatcher, headers: { authorization: `Bearer ${ROOT_TOKEN}` } }).then((r) =>
          r.text(),
        );
      const body = await byItself(read);
      return Number(/^fixative_operations_total\{operation="query several".*\} (\d+)$/m.exec(body)?.[1] ?? 0);
    };
    for (let i = 0; i < 4 * COUNT; i++) await ask('{ tools { name } models { id } }');
    expect(await scrape(`${server.url}/metrics`)).toBe(4 * COUNT);
    expect(await scrape(`http://127.0.0.1:${metricsPort}/metrics`)).toBe(4 * COUNT);
    const before = await children();
    process.kill(before[1] as number, 'SIGKILL');
    await eventually(async () => expect(await children()).not.toContain(before[1]));
    await eventually(async () =>
      expect(await scrape(`http://127.0.0.1:${metricsPort}/metrics`)).toBe(4 * COUNT),
    );
    await eventually(async () => expect(await children()).toHaveLength(COUNT));
    await ask('{ tools { name } models { id } }');
    await eventually(async () => expect(await scrape(`${server.url}/metrics`)).toBe(4 * COUNT + 1));
  });

  test('a killed process is restarted, and the others serve meanwhile', async () => {
    const before = await children();
    process.kill(before[1] as number, 'SIGKILL');
    await eventually(async () => expect(await children()).not.toContain(before[1]));
    for (let i = 0; i < COUNT; i++)
      expect(await ask('{ __typename }')).toEqual({ data: { __typename: 'Query' } });
    await eventually(async () => expect(await children()).toHaveLength(COUNT));
    await eventually(() => expect(server.log()).toContain('Restarting it'));
  });

  test('they finish running requests when the primary is killed', async () => {
    const other = await startServer(
      { DATABASE_URL: database.url, DATA_DIR: directory, FIXATIVE_ROOT_TOKEN: ROOT_TOKEN, LOG_LEVEL: 'info' },
      ['serve', '--processes', '2', '--no-workers'],
    );
    const pids = (await readFile(`/proc/${other.child.pid}/task/${other.child.pid}/children`, 'utf8'))
      .trim()
      .split(' ')
      .map(Number);
    expect(pids).toHaveLength(2);
    // A body that has not come whole: the process that has it waits for it.
    const body = JSON.stringify({ query: '{ __typename }' });
    const { hostname, port } = new URL(other.url);
    const client = connect(Number(port), hostname);
    client.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${ROOT_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    other.child.kill('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.write(body.slice(5));
    expect(await text(client)).toContain('"__typename":"Query"');
    await eventually(() => {
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    });
  });

  test('exit with 0 when a signal reaches one of them before it listens for it', async () => {
    const child = spawn(process.execPath, [MAIN, 'serve', '--processes', '2'], {
      env: { PATH: process.env.PATH ?? '', PORT: '0', DATABASE_URL: database.url, DATA_DIR: directory },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    let tasks = '';
    await eventually(async () => {
      tasks = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
      expect(tasks).not.toBe('');
    });
    // As Ctrl-C does, which the terminal sends to all of them.
    process.kill(child.pid as number, 'SIGINT');
    process.kill(Number(tasks.split(' ')[0]), 'SIGINT');
    expect(await ended).toEqual([0, null]);
  });

  test('all exit when they are told to', async () => {
    const pids = await children();
    const { hostname, port } = new URL(server.url);
    // Some for each process; what they begin to ask before the signal, they ask to its end after it.
    const clients = await Promise.all(
      Array.from({ length: 2 * COUNT }, async () => {
        const client = connect(Number(port), hostname);
        await once(client, 'connect');
        client.write('GET /health HTTP/1.1\r\nHost: x\r\n');
        return client;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stopped = server.stop();
    const refused = async () => {
      const client = connect(Number(port), hostname);
      await Promise.race([once(client, 'connect').then(() => client.destroy()), once(client, 'error')]);
      return client.errored !== null;
    };
    await eventually(async () => expect(await refused()).toBe(true));
    for (const client of clients) {
      client.write('\r\n');
      expect(await text(client)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*\r\nConnection: close\r\n/);
    }
    expect(await stopped).toBe(0);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
