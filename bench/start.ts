import { cp } from 'node:fs/promises';
import path from 'node:path';
import type { Bench } from './bench.ts';
import { type ContestResult, median, type Rules, type SideResult } from './contest.ts';
import { cpuSeconds } from './cpu.ts';
import { type ServerProcess, startServer } from './servers.ts';

interface Start {
  readonly seconds: number;
  readonly cpuSeconds: number | null;
}

/**
 * Measures a start, from the command to the line with the address; "a request" is a start here. The first
 * start, which makes the database and fills the compile cache, is not counted.
 */
export async function benchStart(bench: Bench): Promise<ContestResult[]> {
  const directory = path.join(bench.directory, 'start');
  const limitDirectory = path.join(directory, 'limit');
  const embedded = () =>
    bench.startProduct(['serve'], {
      DATABASE_URL: '',
      DATA_DIR: directory,
      GENERATED_IMAGE_DIR: path.join(directory, 'images'),
    });
  const limit = (env: Record<string, string>) => () =>
    startServer(['bench/limits/start.ts'], { directory: bench.directory, env });
  await (await embedded()).stop();
  await cp(path.join(directory, 'database'), limitDirectory, { recursive: true });
  const contests: [name: string, about: string, ours: Starter, limit: Starter][] = [
    [
      'startEmbedded',
      '`serve` on the embedded database, `sample` alone; the limit opens a copy of its directory',
      embedded,
      limit({ DIRECTORY: limitDirectory }),
    ],
    [
      'startPostgresql',
      '`serve` on PostgreSQL; the limit connects',
      () => bench.startProduct(['serve']),
      limit({ DATABASE_URL: bench.databaseUrl }),
    ],
  ];
  const results: ContestResult[] = [];
  for (const [name, about, ours, theirs] of contests) {
    const result = { name, about, ...(await inTurn(ours, theirs, bench.rules)) };
    bench.report(result);
    results.push(result);
  }
  return results;
}

type Starter = () => Promise<ServerProcess>;

async function inTurn(
  ours: Starter,
  limit: Starter,
  rules: Rules,
): Promise<Omit<ContestResult, 'name' | 'about'>> {
  const starts = { ours: [] as Start[], limit: [] as Start[] };
  for (let round = 0; round < rules.rounds; round++) {
    rules.signal.throwIfAborted();
    starts.ours.push(await measure(ours));
    starts.limit.push(await measure(limit));
  }
  const ratios = starts.ours.map(({ seconds }, round) => (starts.limit[round] as Start).seconds / seconds);
  return {
    ours: sideOf(starts.ours),
    limit: sideOf(starts.limit),
    ratio: { min: Math.min(...ratios), median: median(ratios), max: Math.max(...ratios) },
  };
}

async function measure(begin: Starter): Promise<Start> {
  const from = performance.now();
  const server = await begin();
  const seconds = (performance.now() - from) / 1000;
  const start = { seconds, cpuSeconds: await cpuSeconds(server.pid) };
  await server.stop();
  return start;
}

function sideOf(starts: readonly Start[]): SideResult {
  const rates = starts.map(({ seconds }) => 1 / seconds);
  const cpu = starts.map((start) => start.cpuSeconds).filter((seconds) => seconds !== null);
  return {
    rate: median(rates),
    rates,
    // The minimum: other work of the machine can only add to it.
    cpuMicros: cpu.length === starts.length ? Math.min(...cpu) * 1e6 : null,
    databaseMicros: null,
    wrong: 0,
  };
}
