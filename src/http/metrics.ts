import type { ServerResponse } from 'node:http';
import type { Queryable } from '../database/database.ts';
import { countOpenGenerations } from '../image/generation/generation.ts';
import type { Storage } from '../storage/service.ts';

/** `GET /metrics`: figures for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export async function serveMetrics(
  {
    database,
    storage,
    workers,
  }: { database: Queryable; storage: Storage; workers: { secondsSinceLook(): number | null } },
  response: ServerResponse,
): Promise<void> {
  const [stores, danger, generations] = await Promise.all([
    storage.health(),
    storage.inDanger(),
    countOpenGenerations(database),
  ]);
  const since = workers.secondsSinceLook();
  const gauge = (name: string, help: string, samples: [labels: string, value: number][]) =>
    `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${samples.map(([labels, value]) => `${name}${labels} ${value}\n`).join('')}`;
  const perStore = (value: (store: (typeof stores)[number]) => number) =>
    stores.map((store): [string, number] => [`{store="${store.name}"}`, value(store)]);
  const text = [
    gauge('fixative_blobs_lost', 'Blobs of which no store holds a healthy copy.', [['', danger.lost]]),
    gauge('fixative_blobs_at_risk', 'Blobs with one healthy copy left after others were lost.', [
      ['', danger.atRisk],
    ]),
    gauge(
      'fixative_store_up',
      'Whether the store answered just now.',
      perStore((store) => Number(store.reachable)),
    ),
    gauge(
      'fixative_copies',
      'Copies on record by store and state.',
      stores.flatMap((store): [string, number][] =>
        [
          ['stored', store.copies] as const,
          ...(['missing', 'corrupt', 'pending'] as const).map((state) => [state, store[state]] as const),
          ['too_large', store.tooLarge] as const,
        ].map(([state, count]) => [`{store="${store.name}",state="${state}"}`, count]),
      ),
    ),
    gauge(
      'fixative_store_bytes',
      'Bytes of the healthy copies in the store.',
      perStore((store) => store.bytes),
    ),
    gauge(
      'fixative_store_last_verified_seconds',
      'Unix time at which a copy in the store was last proven; 0 when none was.',
      perStore((store) => (store.lastVerifiedAt?.getTime() ?? 0) / 1000),
    ),
    gauge(
      'fixative_generations',
      'Images that are to be made or being made, by state.',
      generations.map(({ state, count }) => [`{state="${state}"}`, count]),
    ),
    gauge('fixative_generation_oldest_seconds', 'For how long the longest of them is due.', [
      ['', Math.max(0, ...generations.map(({ dueSeconds }) => dueSeconds))],
    ]),
    gauge(
      'fixative_worker_last_look_seconds',
      'Seconds since every idle worker of this process has looked for generations; none where it takes none.',
      since === null ? [] : [['', since]],
    ),
    gauge('fixative_spools', 'Files that are on their way in.', [['', storage.spooler.count]]),
  ].join('');
  response.writeHead(200, {
    'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}
