import type { Services } from '../graphql/context.ts';
import type { Workers } from '../http/readiness.ts';
import type { HttpServer } from '../http/server.ts';
import { makeSharedGauges } from '../http/shared-gauges.ts';
import { type Measured, type Metrics, type ProcessMetrics, textOf } from '../metrics.ts';
import type { MeasuredSpace } from '../storage/spool/space.ts';

interface MetricsDeps {
  readonly metrics: Metrics;
  readonly services: Pick<Services, 'database' | 'storage'>;
  readonly space: MeasuredSpace;
  readonly workers: Workers;
  readonly server: Pick<HttpServer, 'load'>;
}

/** Adds the gauges of the parts of this process. */
export function openMetrics({ metrics, services, space, workers, server }: MetricsDeps): ProcessMetrics {
  const { database, storage } = services;
  metrics.gauge('fixative_spools', 'Files that are being received.', () => storage.spooler.count);
  metrics.gauge(
    'fixative_database_connections',
    'Connections to the database, and requests that wait for one.',
    () => ({
      ...database.connections(),
    }),
  );
  metrics.gauge('fixative_in_progress', 'What is in progress now.', () => server.load().inProgress);
  metrics.gauge(
    'fixative_event_loop_delay_seconds',
    'Mean delay of the event loop in the last second, of the slowest process.',
    () => server.load().delaySeconds,
    'max',
  );
  metrics.gauge(
    'fixative_worker_last_look_seconds',
    'Seconds since every idle worker of the process has looked for generations; absent if it has no workers.',
    () => workers.secondsSincePoll() ?? {},
  );
  return {
    own: () => metrics.registry.getMetricsAsJSON() as Promise<Measured>,
    shared: makeSharedGauges({ database, storage, space }),
  };
}

/** Returns the text of the metrics of one process. */
export const scrapeOne = async ({ own, shared }: ProcessMetrics): Promise<string> =>
  textOf([await own()], await shared());
