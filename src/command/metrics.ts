import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { FixativeError } from '../errors.ts';
import { listenForScrapes, type Scrape } from '../http/serve-metrics.ts';

/**
 * Listens at METRICS_PORT, if it is set.
 * @throws FixativeError INVALID_INPUT if it cannot listen there.
 */
export async function serveScrapes(
  { metricsPort: port, metricsHost: host }: Pick<Config, 'metricsPort' | 'metricsHost'>,
  scrape: Scrape,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  if (port === null) return;
  await listenForScrapes({ host, port }, scrape, log).catch((error: NodeJS.ErrnoException) => {
    throw new FixativeError(
      'INVALID_INPUT',
      `Cannot serve metrics on ${host}:${port} (${error.code}). Check METRICS_HOST and METRICS_PORT.`,
    );
  });
}
