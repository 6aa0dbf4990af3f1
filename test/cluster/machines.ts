import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CRASH_TOKEN } from '../crash/client.ts';
import { type BreakableWay, openProxy } from '../crash/proxy.ts';
import { type ServerProcess, startServer } from '../crash/server.ts';
import { type Gate, openGate } from '../generation/gate.ts';
import { type Nginx, type NginxSite, startNginx } from '../nginx.ts';
import { freePort, type Postgresql, startPostgresql } from '../postgresql.ts';
import type { S3Server } from '../s3-server.ts';
import { startReplica } from './replica.ts';

const SERVERS = 3;
const WORKERS = 2;

/** A server or a worker with its own DATA_DIR. A restart uses the same port and DATA_DIR. */
export interface Machine {
  readonly name: string;
  readonly url: string;
  kill(): Promise<void>;
  stop(): Promise<number | null>;
  start(): Promise<void>;
}

export interface Cluster {
  readonly nginx: Nginx;
  readonly servers: readonly Machine[];
  readonly workers: readonly Machine[];
  readonly provider: Gate;
  readonly s3: BreakableWay;
  readonly replica: Postgresql;
  readonly databaseUrl: string;
  /** Stops PostgreSQL and starts it again. */
  restartDatabase(mode: 'fast' | 'immediate'): Promise<void>;
  close(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const root = await mkdtemp(path.join(tmpdir(), 'fixative-cluster-'));
  // PostgreSQL runs as a user of its own, who must be able to enter the directory.
  await chmod(root, 0o755);
  const closing: (() => unknown)[] = [() => rm(root, { recursive: true, force: true })];
  const close = async () => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  try {
    const primary = { directory: path.join(root, 'primary'), durable: true, port: await freePort() };
    let postgresql = await startPostgresql(primary);
    closing.push(() => postgresql.stop());
    const replica = await startReplica(postgresql.url, path.join(root, 'replica'));
    closing.push(() => replica.stop());
    const provider = await openGate();
    closing.push(() => provider.close());
    const s3 = await startS3(closing);
    const environment = (name: string) => ({
      DATABASE_URL: postgresql.url,
      DATA_DIR: path.join(root, name),
      FIXATIVE_ROOT_TOKEN: CRASH_TOKEN,
      SIGNING_KEYS: 'key-of-all-machines-0123456789',
      LOG_LEVEL: 'error',
      DATABASE_REPLICA_URL: replica.url,
      STORES: 's3',
      REQUIRED_STORES: 's3',
      ...s3.settings,
      TRUSTED_PROXIES: '127.0.0.1',
      OPENAI_API_KEY: provider.apiKey,
      OPENAI_BASE_URL: provider.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
    });
    const machine = async (name: string, args: string[]): Promise<Machine> => {
      const port = await freePort();
      await mkdir(path.join(root, name));
      const open = () => startServer({ ...environment(name), PORT: String(port) }, args);
      let process: ServerProcess = await open();
      closing.push(() => process.kill());
      return {
        name,
        url: `http://127.0.0.1:${port}`,
        kill: () => process.kill(),
        stop: () => process.stop(),
        async start() {
          process = await open();
        },
      };
    };
    // The first migrates the database.
    const servers = [await machine('server-1', ['serve', '--no-workers'])];
    servers.push(
      ...(await Promise.all(
        Array.from({ length: SERVERS - 1 }, (_, i) => machine(`server-${i + 2}`, ['serve', '--no-workers'])),
      )),
    );
    const workers = await Promise.all(
      Array.from({ length: WORKERS }, (_, i) => machine(`worker-${i + 1}`, ['work'])),
    );
    const site = await clusterSite(servers.map(({ url }) => new URL(url)));
    const nginx = await startNginx({ directory: path.join(root, 'nginx'), site });
    // A graceful stop would wait for the subscriptions.
    closing.push(() => nginx.stop('SIGTERM'));
    return {
      nginx,
      servers,
      workers,
      provider,
      s3: s3.way,
      replica,
      databaseUrl: postgresql.url,
      async restartDatabase(mode) {
        if (mode === 'immediate') process.kill(postgresql.pid, 'SIGQUIT');
        await postgresql.stop();
        postgresql = await startPostgresql(primary);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts an S3 server behind a proxy that can cut its connections. */
async function startS3(closing: (() => unknown)[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('s3.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closing.push(() => child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stdout })) {
    const { endpoint, bucket, credentials } = JSON.parse(line) as Pick<
      S3Server,
      'endpoint' | 'bucket' | 'credentials'
    >;
    const way = await openProxy(new URL(endpoint));
    closing.push(() => way.close());
    const settings = {
      S3_BUCKET: bucket,
      S3_ENDPOINT: way.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
    return { way, settings };
  }
  throw new Error('The S3 server ended before it listened.');
}

/** The nginx configuration of docs/several-machines.md, in front of these servers. */
async function clusterSite(servers: readonly URL[]): Promise<NginxSite> {
  const docs = await readFile(new URL('../../docs/several-machines.md', import.meta.url), 'utf8');
  const [, example] = /```nginx\n([\s\S]*?)```/.exec(docs) ?? [];
  if (!example) throw new Error('docs/several-machines.md has no example for nginx.');
  return (port) =>
    servers.reduce(
      (text, { host }, i) => text.replace(`server 10.0.0.${i + 1}:4000`, `server ${host}`),
      example.replace('listen 80;', `listen 127.0.0.1:${port};`),
    );
}
