import type { Config } from '../config.ts';
import { FixativeError } from '../errors.ts';
import type { Scrape } from '../http/serve-metrics.ts';
import type { Logger } from '../log.ts';
import { serveScrapes } from './metrics.ts';
import { EXIT, type ExitCode, isStoppedFirst, type Terminal } from './terminal.ts';

/** Runs jobs until `stopped` resolves. Does not listen. */
export async function work(
  app: { startJobs(): Promise<void>; readonly scrape: Scrape; readonly services: { readonly log: Logger } },
  config: Config,
  { terminal, stopped }: { terminal: Terminal; stopped: Promise<void> },
): Promise<ExitCode> {
  if (config.databaseUrl === null) {
    throw new FixativeError(
      'INVALID_INPUT',
      'The embedded database allows only one process, and `serve` also works in it. Set DATABASE_URL to run separate workers.',
    );
  }
  await serveScrapes(config, app.scrape, app.services.log);
  if (await isStoppedFirst(stopped, app.startJobs())) return EXIT.ok;
  terminal.out('Fixative is at work.\n');
  await stopped;
  terminal.note('Stopping: finishing what is in progress. Signal again to stop at once.\n');
  return EXIT.ok;
}
