import type { Queryable } from '../database/database.ts';
import { countOpenGenerations } from '../image/generation/generation.ts';
import { findVerifyCoverage } from '../storage/coverage.ts';
import type { Storage, StoreHealth } from '../storage/service.ts';
import type { MeasuredSpace } from '../storage/spool/space.ts';
import { withTimeLimit } from '../time.ts';

type Sample = readonly [labels: string, value: number];

interface GaugeDeps {
  readonly database: Queryable;
  readonly storage: Storage;
  readonly space: MeasuredSpace;
}

/** Time for which the counts are used again: each counts all copies. */
const CACHE_MS = 10_000;
/** Time limit for an answer of the database. */
const ASK_MS = 2000;
/** Time that a scrape waits for new counts; after that it gets those of before. */
const READ_MS = 4000;
/** Age from which the counts are not served. */
const OLD_MS = 10 * 60_000;

/**
 * Returns a function that reads the gauges that all servers of a database share, in the text format of
 * Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
export function makeSharedGauges(deps: GaugeDeps): () => Promise<string> {
  let last = '';
  let readAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | null = null;

  /** Reads the gauges. A read that is under way is shared: another one would slow a slow database further. */
  async function read(): Promise<void> {
    try {
      last = await readGauges(deps);
      readAt = performance.now();
    } catch {
      // The gauges of before are served until they are too old.
    }
    running = null;
  }

  return async () => {
    const isUp = await withTimeLimit(
      ASK_MS,
      deps.database.query('SELECT 1').then(
        () => true,
        () => false,
      ),
      () => false,
    );
    const up = gauge('fixative_database_up', 'Whether the database answered.', [['', Number(isUp)]]);
    if (!isUp) return up;
    if (performance.now() - readAt > CACHE_MS) running ??= read();
    if (running) await withTimeLimit(READ_MS, running, () => {});
    return performance.now() - readAt > OLD_MS ? up : up + last;
  };
}

async function readGauges({ database, storage, space }: GaugeDeps): Promise<string> {
  const [stores, danger, generations, coverage, runs, freeBytes] = await Promise.all([
    storage.health(),
    storage.inDanger(),
    countOpenGenerations(database),
    findVerifyCoverage(
      database,
      storage.stores.map(({ name }) => name),
    ),
    database.query<{ kind: string; seconds: number }>(LAST_RUNS),
    space.free(),
  ]);
  const labelOf = (index: number) => `{store="${storage.stores[index]?.name}"}`;
  return [
    gauge('fixative_blobs_lost', 'Blobs without a healthy copy in any store.', [['', danger.lost]]),
    gauge('fixative_blobs_at_risk', 'Blobs with one healthy copy left after others were lost.', [
      ['', danger.atRisk],
    ]),
    ...storeGauges(stores),
    gauge(
      'fixative_store_never_verified',
      'Healthy copies in the store that were never verified.',
      coverage.map(({ neverVerified }, index) => [labelOf(index), neverVerified]),
    ),
    gauge(
      'fixative_store_oldest_verified_seconds',
      'Unix time at which the copy that has waited longest was verified; 0 if none was.',
      coverage.map(({ oldestVerifiedAt }, index) => [
        labelOf(index),
        (oldestVerifiedAt?.getTime() ?? 0) / 1000,
      ]),
    ),
    ...generationGauges(generations),
    gauge(
      'fixative_disk_free_bytes',
      'Free bytes of the fullest disk of DATA_DIR and IMAGE_DIR on this machine.',
      [['', freeBytes]],
    ),
    gauge(
      'fixative_run_last_completed_seconds',
      'Unix time at which a maintenance run of the kind was last completed.',
      runs.map(({ kind, seconds }) => [`{kind="${kind.toLowerCase()}"}`, seconds]),
    ),
  ].join('');
}

const LAST_RUNS = `SELECT kind, extract(epoch FROM max(finished_at))::float8 AS seconds FROM maintenance_runs
  WHERE state = 'COMPLETED' GROUP BY kind ORDER BY kind`;

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`).join('');
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines}`;
}

function storeGauges(stores: readonly StoreHealth[]): string[] {
  const perStore = (value: (store: StoreHealth) => number) =>
    stores.map((store): Sample => [`{store="${store.name}"}`, value(store)]);
  return [
    gauge(
      'fixative_store_up',
      'Whether the store answered just now.',
      perStore((store) => Number(store.reachable)),
    ),
    gauge('fixative_copies', 'Recorded copies by store and state.', stores.flatMap(copySamples)),
    gauge(
      'fixative_store_bytes',
      'Bytes of the healthy copies in the store.',
      perStore((store) => store.bytes),
    ),
    gauge(
      'fixative_store_last_verified_seconds',
      'Unix time at which a copy in the store was last verified or stored; 0 if none was.',
      perStore((store) => (store.lastVerifiedAt?.getTime() ?? 0) / 1000),
    ),
  ];
}

function copySamples(store: StoreHealth): Sample[] {
  const { name, copies, missing, corrupt, pending, tooLarge } = store;
  const counts = { stored: copies, missing, corrupt, pending, too_large: tooLarge };
  return Object.entries(counts).map(([state, count]) => [`{store="${name}",state="${state}"}`, count]);
}

function generationGauges(generations: Awaited<ReturnType<typeof countOpenGenerations>>): string[] {
  return [
    gauge(
      'fixative_generations',
      'Images that wait to be generated or are being generated, by state.',
      generations.map(({ state, count }) => [`{state="${state}"}`, count]),
    ),
    gauge('fixative_generation_oldest_seconds', 'Seconds that the oldest of them is due.', [
      ['', Math.max(0, ...generations.map(({ dueSeconds }) => dueSeconds))],
    ]),
  ];
}
