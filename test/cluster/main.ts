/**
 * Breaks a cluster under load, one fault after the other: `npm run test:cluster [-- --short]`. Three servers
 * and two workers, each with its own DATA_DIR, share PostgreSQL (with a streaming replica) and S3, behind
 * nginx with the configuration of docs/several-machines.md. Exits with 1 when a requirement is not met.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { fetch } from 'undici';
import { CRASH_TOKEN, within } from '../crash/client.ts';
import { ask, type Load, startLoad } from './load.ts';
import { type Cluster, startCluster } from './machines.ts';

const isShort = process.argv.includes('--short');
const SECONDS = isShort ? { calm: 2, s3Away: 10 } : { calm: 10, s3Away: 60 };
const HEALTHY_SECONDS = 90;
const READY_SECONDS = 10;
/** A worker of another machine is known to be dead within a minute. */
const SETTLE_SECONDS = 120;

interface Fault {
  readonly name: string;
  /** Whether every GET must succeed during the fault. */
  readonly mustSucceed: boolean;
  run(): Promise<void>;
}

interface Row {
  readonly name: string;
  readonly value: string | number;
  /** null: a figure without a requirement. */
  readonly isMet: boolean | null;
}

function faultsOf(cluster: Cluster, load: Load, interruptible: string[]): Fault[] {
  const { servers, workers, provider, s3 } = cluster;
  return [
    {
      name: 'a server killed with -9',
      mustSucceed: true,
      async run() {
        await servers[0]?.kill();
        await sleep(1000);
        await servers[0]?.start();
      },
    },
    {
      name: 'a server restarted by SIGTERM',
      mustSucceed: true,
      async run() {
        await servers[1]?.stop();
        await servers[1]?.start();
      },
    },
    {
      name: 'a worker killed in generations',
      mustSucceed: true,
      async run() {
        const before = provider.calls.length;
        provider.shut();
        await Promise.all(Array.from({ length: 4 }, () => load.generate()));
        await within(30, async () => {
          if (provider.waiting() < 3) throw new Error('The workers do not call the provider.');
        });
        await workers[0]?.kill();
        interruptible.push(...provider.calls.slice(before));
        provider.open();
        await workers[0]?.start();
      },
    },
    {
      name: 'PostgreSQL restarted (fast)',
      mustSucceed: false,
      run: () => cluster.restartDatabase('fast'),
    },
    {
      name: 'PostgreSQL restarted (immediate)',
      mustSucceed: false,
      run: () => cluster.restartDatabase('immediate'),
    },
    {
      name: `S3 away for ${SECONDS.s3Away} s`,
      mustSucceed: false,
      async run() {
        s3.cut();
        await sleep(SECONDS.s3Away * 1000);
        s3.mend();
      },
    },
  ];
}

/** Resolves when all servers are ready, and an upload and a generation succeed. */
async function untilHealthy({ nginx, servers }: Cluster, load: Load): Promise<void> {
  await within(HEALTHY_SECONDS, async () => {
    for (const { url, name } of servers) {
      const { status } = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(READY_SECONDS * 1000) });
      if (status !== 200) throw new Error(`${name} is not ready.`);
    }
  });
  process.stdout.write('  ready …\n');
  await load.upload();
  const { id } = await load.generate();
  await within(HEALTHY_SECONDS, async () => {
    const { image } = await ask<{ image: { status: string } }>(
      nginx.url,
      'query($id: ID!) { image(id: $id) { status } }',
      { id },
    );
    if (image.status !== 'SUCCESS') throw new Error(`A generation is ${image.status} after a fault.`);
  });
  await within(HEALTHY_SECONDS, async () => {
    if (!load.followers.every(({ isOpen }) => isOpen()))
      throw new Error('A subscription does not come back.');
  });
}

/** Does some of the work at the same time. */
async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.pop(); item; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** Reads every acknowledged image back. */
async function findLost(cluster: Cluster, load: Load): Promise<string[]> {
  const lost: string[] = [];
  await eachOf(load.seen.uploads, async ({ id, url, sha256 }) => {
    const response = await fetch(new URL(new URL(url).pathname, cluster.nginx.url), {
      headers: { authorization: `Bearer ${CRASH_TOKEN}` },
    });
    const content = Buffer.from(await response.arrayBuffer());
    if (createHash('sha256').update(content).digest('hex') !== sha256) lost.push(`${id}: ${response.status}`);
  });
  return lost;
}

const GENERATION = `query($id: ID!) { image(id: $id) { status error { code } } }`;

/** Waits for the end of every generation. Returns those that are lost, and those that were interrupted. */
async function judgeGenerations(cluster: Cluster, load: Load, interruptible: readonly string[]) {
  const lost: string[] = [];
  let interrupted = 0;
  const deadline = Date.now() + SETTLE_SECONDS * 1000;
  await eachOf(load.seen.generations, async ({ id, prompt }) => {
    const image = await within(Math.max(1, (deadline - Date.now()) / 1000), async () => {
      const found = await ask<{ image: { status: string; error: { code: string } | null } | null }>(
        cluster.nginx.url,
        GENERATION,
        { id },
      );
      if (found.image && !['SUCCESS', 'FAILED'].includes(found.image.status)) throw new Error('not ended');
      return found.image;
    }).catch(() => null);
    if (image?.status === 'SUCCESS') return;
    // The provider was in the middle of this call when its worker was killed.
    if (image?.error?.code === 'INTERRUPTED' && interruptible.includes(prompt)) interrupted++;
    else lost.push(`${id}: ${image?.error?.code ?? image?.status ?? 'has not ended'}`);
  });
  const { calls } = cluster.provider;
  return { lost, interrupted, paidTwice: calls.length - new Set(calls).size };
}

/** Returns how many images the replica lacks after it had time to catch up. */
async function compareReplica(cluster: Cluster): Promise<number> {
  const countOf = async (url: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query('SELECT count(*)::int AS n FROM generated_images');
    await client.end();
    return rows[0].n as number;
  };
  let missing = Number.POSITIVE_INFINITY;
  await within(30, async () => {
    missing = (await countOf(cluster.databaseUrl)) - (await countOf(cluster.replica.url));
    if (missing !== 0) throw new Error('The replica lags.');
  }).catch(() => {});
  return missing;
}

async function judge(cluster: Cluster, load: Load, interruptible: string[]): Promise<Row[]> {
  const { seen, followers } = load;
  const generations = await judgeGenerations(cluster, load, interruptible);
  const lost = await findLost(cluster, load);
  const missing = await compareReplica(cluster);
  for (const each of [...lost, ...generations.lost, ...seen.avoidable.slice(0, 20)])
    process.stdout.write(`  ${each}\n`);
  const none = (name: string, value: number): Row => ({ name, value, isMet: value === 0 });
  const figure = (name: string, value: string | number): Row => ({ name, value, isMet: null });
  const ended = followers.reduce((sum, each) => sum + each.ended(), 0);
  const resumed = followers.reduce((sum, each) => sum + each.resumed(), 0);
  const unseen = seen.uploads.filter(({ id }) => !followers.some(({ ids }) => ids.has(id)));
  return [
    ...Object.entries(seen.requests).map(([kind, n]) => figure(`requests: ${kind}`, n)),
    ...Object.entries(seen.resent).map(([reason, n]) => figure(`failed, ${reason}`, n)),
    figure('acknowledged uploads', seen.uploads.length),
    none('acknowledged images lost', lost.length),
    none('responses with wrong bytes', seen.wrong.length),
    figure('acknowledged generations', seen.generations.length),
    figure('interrupted with their worker, as said in Image.error', generations.interrupted),
    none('generations lost', generations.lost.length),
    none('generations paid twice', generations.paidTwice),
    none('GET requests failed that nginx could have retried', seen.avoidable.length),
    {
      name: 'subscriptions ended / back by themselves',
      value: `${ended} / ${resumed}`,
      isMet: ended === resumed,
    },
    none('uploads that no subscription was sent', unseen.length),
    none('images that the replica lacks', missing),
  ];
}

async function run(): Promise<boolean> {
  const rows: Row[] = [];
  const began = Date.now();
  const cluster = await startCluster();
  // PostgreSQL would go on without this program.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cluster.close().finally(() => process.exit(1)));
  try {
    const load = startLoad(cluster.nginx.url);
    const interruptible: string[] = [];
    await untilHealthy(cluster, load);
    for (const fault of faultsOf(cluster, load, interruptible)) {
      await sleep(SECONDS.calm * 1000);
      const started = Date.now();
      process.stdout.write(`${fault.name} …\n`);
      load.mustSucceed = fault.mustSucceed;
      await fault.run();
      const mended = Date.now();
      process.stdout.write('  mended …\n');
      const isMet = await untilHealthy(cluster, load).then(
        () => true,
        (error: Error) => {
          process.stdout.write(`${fault.name}: ${error.message}\n`);
          return false;
        },
      );
      load.mustSucceed = true;
      const seconds = (until: number, from: number) => ((until - from) / 1000).toFixed(1);
      const value = `${seconds(Date.now(), mended)} s after ${seconds(mended, started)} s`;
      rows.push({ name: `${fault.name}: healthy`, value, isMet });
    }
    await sleep(SECONDS.calm * 1000);
    await load.stop();
    process.stdout.write('reading everything back …\n');
    rows.push(...(await judge(cluster, load, interruptible)));
    await load.close();
  } finally {
    await cluster.close();
  }
  const mark = { true: 'ok', false: 'NOT MET', null: '' };
  for (const { name, value, isMet } of rows)
    process.stdout.write(`${name.padEnd(58)} ${String(value).padStart(22)}  ${mark[`${isMet}`]}\n`);
  process.stdout.write(`${((Date.now() - began) / 1000).toFixed(0)} s in total\n`);
  return rows.every(({ isMet }) => isMet !== false);
}

process.exitCode = (await run()) ? 0 : 1;
