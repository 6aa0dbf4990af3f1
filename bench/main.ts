/**
 * `npm run bench -- [NAME…] [--quick] [--loader wrk|node] [--json FILE]`: compares the product with the
 * fastest program that can be written by hand for the same requests (the limit). Both use one PostgreSQL
 * server with default settings, started for the run. The limits have no users and validate nothing; the
 * product checks a token with every request.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { migrate } from '../src/database/migrate.ts';
import { openPostgresql } from '../src/database/postgresql.ts';
import { startPostgresql } from '../test/postgresql.ts';
import type { Bench, BytesLoader } from './bench.ts';
import { benchBytes, benchPlainBytes } from './bytes.ts';
import { type ContestResult, type Rules, WrongResponse } from './contest.ts';
import { benchGeneration } from './generation.ts';
import { benchList } from './list.ts';
import { benchProcesses } from './processes.ts';
import { describeMachine, readMachine, writeTable } from './report.ts';
import { seedDatabase } from './seed.ts';
import { startServer } from './servers.ts';
import { benchStart } from './start.ts';
import { benchUpload } from './upload.ts';

const BENCHMARKS: Record<string, (bench: Bench) => Promise<ContestResult[]>> = {
  list: benchList,
  processes: benchProcesses,
  bytes: benchBytes,
  plainBytes: benchPlainBytes,
  upload: benchUpload,
  generation: benchGeneration,
  start: benchStart,
};

const FULL = { rows: 200_000, rounds: 7, secondsPerRound: 4, warmUpSeconds: 3 };
const QUICK = { rows: 20_000, rounds: 2, secondsPerRound: 1, warmUpSeconds: 0.5 };
const CONNECTIONS = 32;
const POOL_SIZE = 10;
const ROOT_TOKEN = 'bench-root-token-0123456789';
/** Smoke test: far below normal ratios, so a lower one means that something is badly wrong. */
const LOWEST_RATIO = { name: 'imagePage', ratio: 0.2 };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    rows: { type: 'string' },
    loader: { type: 'string' },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);
const unknown = names.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) {
  process.stderr.write(
    `There is no benchmark ${unknown.join(', ')}. Choose from: ${Object.keys(BENCHMARKS).join(', ')}.\n`,
  );
  process.exit(2);
}

const LOADERS: readonly BytesLoader[] = ['wrk', 'node'];
const bytesLoaders = LOADERS.filter((each) => (options.loader ?? each) === each);
if (bytesLoaders.length === 0) {
  process.stderr.write(`There is no loader ${options.loader}. Choose one of: ${LOADERS.join(', ')}.\n`);
  process.exit(2);
}

const size = options.quick ? QUICK : FULL;
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
}
const rules: Rules = {
  connections: CONNECTIONS,
  rounds: Number(options.rounds ?? size.rounds),
  secondsPerRound: Number(options.seconds ?? size.secondsPerRound),
  warmUpSeconds: size.warmUpSeconds,
  signal: stopped.signal,
};
const note = (text: string) => void process.stderr.write(`${text}\n`);

try {
  process.exitCode = await run(Number(options.rows ?? size.rows));
} catch (error) {
  const expected = error instanceof WrongResponse || stopped.signal.aborted;
  note(expected ? (error as Error).message : ((error as Error).stack ?? String(error)));
  process.exitCode = 1;
}

async function run(rows: number): Promise<number> {
  const opened: (() => Promise<void>)[] = [];
  try {
    const directory = await mkdtemp(path.join(tmpdir(), 'fixative-bench-'));
    opened.push(() => rm(directory, { recursive: true, force: true }));
    const postgresql = await startPostgresql({ durable: true });
    opened.push(() => postgresql.stop());
    const database = await openPostgresql({
      url: postgresql.url,
      poolSize: 2,
      onError: (error) => note(error.message),
    });
    opened.push(() => database.close());
    await migrate(database);
    note(`seeding ${rows} images …`);
    const start = performance.now();
    await seedDatabase(database, rows);
    note(`seeded in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    stopped.signal.throwIfAborted();

    const startProduct: Bench['startProduct'] = (args, settings = {}) =>
      startServer(['src/main.ts', ...args], {
        directory,
        env: {
          DATABASE_URL: postgresql.url,
          DATABASE_POOL_SIZE: String(POOL_SIZE),
          DATA_DIR: path.join(directory, 'data'),
          FIXATIVE_ROOT_TOKEN: ROOT_TOKEN,
          LOG_LEVEL: 'warn',
          VERIFY_SCHEDULE: 'off',
          RATE_LIMIT_PER_CALLER: 'off',
          PORT: '0',
          ...settings,
        },
      });
    const product = await startProduct(['serve']);
    opened.push(() => product.stop());
    const machine = await readMachine(database);
    note(describeMachine(machine));
    const results: ContestResult[] = [];
    for (const name of names) {
      const found = await BENCHMARKS[name]?.({
        rules,
        bytesLoaders,
        database,
        databaseUrl: postgresql.url,
        databasePid: postgresql.pid,
        poolSize: POOL_SIZE,
        directory,
        product,
        startProduct,
        rootToken: ROOT_TOKEN,
        report: ({ name, ratio }) => note(`${name}: ${ratio.median.toFixed(2)} of the limit`),
      });
      results.push(...(found ?? []));
    }
    process.stdout.write(
      `\n${describeMachine(machine)}\n${rows} images, ${describeRules()}\n\n${writeTable(results)}\n`,
    );
    if (options.json) {
      const { signal: _, ...printedRules } = rules;
      await writeFile(
        options.json,
        `${JSON.stringify({ machine, rows, rules: printedRules, results }, null, 2)}\n`,
      );
    }
    return judge(results);
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

function describeRules(): string {
  return `${rules.connections} connections, ${rules.rounds} rounds of ${rules.secondsPerRound} s each`;
}

function judge(results: readonly ContestResult[]): number {
  const faults = results.flatMap(({ name, ours, limit, ratio }) => [
    ...(ours.wrong + limit.wrong > 0
      ? [
          `${name}: ${ours.wrong} responses of the product under load were wrong, and ${limit.wrong} of the limit.`,
        ]
      : []),
    ...(name === LOWEST_RATIO.name && ratio.median < LOWEST_RATIO.ratio
      ? [
          `${name} reaches ${ratio.median.toFixed(2)} of the limit; the least that passes is ${LOWEST_RATIO.ratio}.`,
        ]
      : []),
  ]);
  for (const fault of faults) note(fault);
  return faults.length > 0 ? 1 : 0;
}
