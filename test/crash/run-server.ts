/** A data directory whose server is killed and started again, for tests of maintenance runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { print } from 'graphql';
import pino from 'pino';
import { fetch } from 'undici';
import { expect } from 'vitest';
import { type App, openApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { ImageCountDocument, type ImageCountQuery, type ImageFilter } from '../generated/graphql.ts';
import { makeDatabase, ROOT_TOKEN } from '../harness.ts';
import { type ServerProcess, startServer } from './server.ts';

export interface RunServer {
  /** Starts the server as a process. */
  start(): Promise<ServerProcess>;
  /** Returns the address of the running server. */
  url(): string;
  kill(): Promise<void>;
  /** @returns the exit code. */
  stop(): Promise<number | null>;
  /** Opens the database while no server runs. */
  withDatabase(work: (app: App) => Promise<void>): Promise<void>;
  /** Sends a document to the server, and fails the test when there are errors. */
  ask<Data>(document: Parameters<typeof print>[0], variables?: object): Promise<Data>;
  /** Counts images by a filter: what a run has changed shows at once, its own counts once a second. */
  count(filter: ImageFilter): Promise<number>;
  /** Kills the server and removes its directory and database. */
  remove(): Promise<void>;
}

export async function makeRunServer(settings: Record<string, string> = {}): Promise<RunServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-runs-'));
  const database = await makeDatabase();
  const environment = {
    DATA_DIR: directory,
    FIXATIVE_ROOT_TOKEN: ROOT_TOKEN,
    STORES: 'filesystem',
    LOG_LEVEL: 'error',
    VERIFY_SCHEDULE: 'off',
    ...(database ? { DATABASE_URL: database.url } : {}),
    ...settings,
  };
  let server: ServerProcess | null = null;
  async function ask<Data>(document: Parameters<typeof print>[0], variables: object = {}): Promise<Data> {
    const response = await fetch(`${server?.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_TOKEN}` },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
    expect(errors).toBeUndefined();
    return data;
  }
  return {
    ask,
    count: async (filter) => (await ask<ImageCountQuery>(ImageCountDocument, { filter })).images.totalCount,
    async start() {
      server = await startServer(environment);
      return server;
    },
    async kill() {
      await server?.kill();
    },
    stop: async () => (await server?.stop()) ?? null,
    url: () => server?.url ?? '',
    async withDatabase(work) {
      const app = await openApp(parseConfig(environment, directory), {
        log: pino({ level: 'silent' }),
        processId: process.pid,
        onEnd: (reason) => {
          throw new Error(reason);
        },
      });
      await work(app).finally(() => app.close());
    },
    async remove() {
      await server?.kill();
      await database?.drop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL may have another server, so the last heartbeat decides who is dead. */
export const AGE_HEARTBEATS = `UPDATE maintenance_runs SET heartbeat_at = heartbeat_at - interval '61 seconds'`;
