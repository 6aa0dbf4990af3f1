import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import pg from 'pg';
import pino from 'pino';
import { Agent, type FormData, fetch } from 'undici';
import { expect } from 'vitest';
import { type App, type AppOptions, openApp } from '../src/app.ts';
import { parseConfig } from '../src/config.ts';
import { readTemplate, TEMPLATE_FILE } from '../src/database/pglite/template.ts';

export const ROOT_TOKEN = 'test-root-token-0123456789';

/** Data of a response without errors. Only an error makes the payload of a mutation null. */
export type Succeeded<Data> = {
  [Field in keyof Data]: Data[Field] extends { userErrors: unknown } | null
    ? NonNullable<Data[Field]>
    : Data[Field];
};

export interface TestApp extends Omit<App, 'close'> {
  readonly url: string;
  readonly directory: string;
  /** Log lines of level warn or above, as JSON. */
  readonly logged: string[];
  /** Sends a document by HTTP and returns the whole result. */
  send<Result, Variables>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): Promise<{ data: Result; errors?: { message: string; extensions?: Record<string, unknown> }[] }>;
  /** Sends a document by HTTP and returns its data. Fails the test when there are errors. */
  ask<Result, Variables>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
  ): Promise<Succeeded<Result>>;
  /** Sends a request with the root token, unless `headers` has another `authorization`. */
  fetch(
    path: string,
    init?: { method?: string; headers?: Record<string, string>; body?: string | FormData },
  ): ReturnType<typeof fetch>;
  /** Lists the files below a directory of the data directory, relative to it, without markers. */
  files(directory: string): Promise<string[]>;
  /** Closes the server and drops its database. Returns the number of deadlocks that PostgreSQL counted. */
  close(): Promise<{ deadlocks: number }>;
}

/**
 * Opens a new connection for each request. Server and test share one event loop: after a test has blocked it
 * for longer than the keep-alive timeout, the server would close an idle connection in the turn in which the
 * next request uses it.
 */
const ONE_CONNECTION_EACH = new Agent({ pipelining: 0 });

/**
 * Starts a whole server on a free port, on a real database: PGlite, or PostgreSQL when TEST_DATABASE_URL
 * names a server. `close` fails the test when a spool or a temporary file is left behind.
 */
export async function openTestApp(
  settings: Record<string, string> = {},
  options: Pick<AppOptions, 'stores' | 'required' | 'webDirectory'> & Partial<Pick<AppOptions, 'log'>> = {},
): Promise<TestApp> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-test-'));
  const database = await makeDatabase();
  const config = parseConfig(
    {
      PORT: '0',
      DATA_DIR: directory,
      FIXATIVE_ROOT_TOKEN: ROOT_TOKEN,
      HEAL_DELAY_SECONDS: '0',
      // Server and test share one event loop. A test may block it for seconds, which would look like
      // overload.
      MAX_EVENT_LOOP_DELAY_MILLISECONDS: '60000',
      ...(database ? { DATABASE_URL: database.url } : {}),
      ...settings,
    },
    directory,
  );
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void logged.push(line) });
  const app = await openApp(config, {
    log,
    processId: process.pid,
    // A test that continued without its database would never end.
    onEnd(reason) {
      process.stderr.write(`${reason}\n`);
      process.kill(process.pid, 'SIGKILL');
      throw new Error(reason);
    },
    works: true,
    ...options,
  });
  await app.server.listen('127.0.0.1', 0);
  await app.startGenerating();
  const url = app.server.address();

  const test: TestApp = {
    ...app,
    url,
    directory,
    logged,
    async send(document, variables) {
      const response = await test.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: print(document), variables }),
      });
      return (await response.json()) as never;
    },
    async ask(document, variables) {
      const { data, errors } = await test.send(document, variables);
      expect(errors).toBeUndefined();
      return data as Succeeded<typeof data>;
    },
    fetch: (address, { headers, ...init } = {}) =>
      fetch(url + address, {
        dispatcher: ONE_CONNECTION_EACH,
        ...init,
        headers: { authorization: `Bearer ${ROOT_TOKEN}`, ...headers },
      }),
    files: async (name) =>
      (await filesBelow(path.join(directory, name))).filter((file) => file !== '.fixative-store'),
    async close() {
      await app.close();
      await eventually(() => expect(app.storage.spooler.count, 'spools that were not discarded').toBe(0));
      expect(await filesBelow(path.join(directory, 'spool'))).toEqual([]);
      expect(await filesBelow(path.join(directory, 'images', '.writing'))).toEqual([]);
      expect(
        await filesBelow(path.join(directory, 'answers')),
        'provider answers that were not deleted',
      ).toEqual([]);
      const deadlocks = (await database?.deadlocks()) ?? 0;
      await database?.drop();
      await rm(directory, { recursive: true, force: true });
      return { deadlocks };
    },
  };
  return test;
}

/** Returns a random value of the list. */
export const pick = <Value>(values: readonly Value[]): Value =>
  values[Math.floor(Math.random() * values.length)] as Value;

/** Unpacks the prepared database into an empty directory, as a first start does. */
export async function unpackTemplate(directory: string): Promise<void> {
  const template = await readTemplate(TEMPLATE_FILE);
  if (typeof template === 'string') throw new Error(template);
  await template.unpack(directory);
}

/** Repeats a check until it passes; fails after a minute, because a busy machine is slow. */
export async function eventually(check: () => Promise<void> | void): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

export interface TestDatabase {
  readonly url: string;
  /** Number of deadlocks, from the statistics that connections report when they end. */
  deadlocks(): Promise<number>;
  drop(): Promise<void>;
}

/** Creates a database on the PostgreSQL of TEST_DATABASE_URL; null without it: use the embedded database. */
export async function makeDatabase(): Promise<TestDatabase | null> {
  const server = process.env.TEST_DATABASE_URL;
  if (!server) return null;
  const name = `fixative_test_${randomUUID().replaceAll('-', '')}`;
  const administer = async (sql: string) => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    return (await client.query(sql).finally(() => client.end())).rows;
  };
  await administer(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async deadlocks() {
      const [row] = await administer(`SELECT deadlocks FROM pg_stat_database WHERE datname = '${name}'`);
      return Number(row.deadlocks);
    },
    drop: async () => void (await administer(`DROP DATABASE ${name} WITH (FORCE)`)),
  };
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
}
