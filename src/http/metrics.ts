import type { ServerResponse } from 'node:http';
import type { Queryable } from '../database/database.ts';
import { countOpenGenerations } from '../image/generation/generation.ts';
import type { Storage, StoreHealth } from '../storage/service.ts';
import type { Workers } from './readiness.ts';

type Sample = readonly [labels: string, value: number];

/**
 * Answers `GET /metrics` with gauges for Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
export async function serveMetrics(
  { database, storage, workers }: { database: Queryable; storage: Storage; workers: Workers },
  response: ServerResponse,
): Promise<void> {
  const [stores, danger, generations] = await Promise.all([
    storage.health(),
    storage.inDanger(),
    countOpenGenerations(database),
  ]);
  const text = [
    gauge('fixative_blobs_lost', 'Blobs without a healthy copy in any store.', [['', danger.lost]]),
    gauge('fixative_blobs_at_risk', 'Blobs with one healthy copy left after others were lost.', [
      ['', danger.atRisk],
    ]),
    ...storeGauges(stores),
    ...generationGauges(generations, workers.secondsSincePoll()),
    gauge('fixative_spools', 'Files that are being received.', [['', storage.spooler.count]]),
  ].join('');
  response.writeHead(200, {
    'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}

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
      'Unix time at which a copy in the store was last verified; 0 if none was.',
      perStore((store) => (store.lastVerifiedAt?.getTime() ?? 0) / 1000),
    ),
  ];
}

function copySamples(store: StoreHealth): Sample[] {
  const { name, copies, missing, corrupt, pending, tooLarge } = store;
  const counts = { stored: copies, missing, corrupt, pending, too_large: tooLarge };
  return Object.entries(counts).map(([state, count]) => [`{store="${name}",state="${state}"}`, count]);
}

function generationGauges(
  generations: Awaited<ReturnType<typeof countOpenGenerations>>,
  sinceLook: number | null,
): string[] {
  return [
    gauge(
      'fixative_generations',
      'Images that wait to be generated or are being generated, by state.',
      generations.map(({ state, count }) => [`{state="${state}"}`, count]),
    ),
    gauge('fixative_generation_oldest_seconds', 'Seconds that the oldest of them is due.', [
      ['', Math.max(0, ...generations.map(({ dueSeconds }) => dueSeconds))],
    ]),
    gauge(
      'fixative_worker_last_look_seconds',
      'Seconds since every idle worker of this process has looked for generations; absent if it has no workers.',
      sinceLook === null ? [] : [['', sinceLook]],
    ),
  ];
}
