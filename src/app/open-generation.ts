import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { openFetcher } from '../fetch/fetch.ts';
import { makeImageEvents } from '../image/events/events.ts';
import { openGenerationJobs } from '../job/generations.ts';
import type { Logger } from '../log.ts';
import type { Observers } from '../observers.ts';
import type { Spooler } from '../storage/spool/spool.ts';
import { openPoster } from '../webhook/post.ts';
import type { Closing } from './closing.ts';
import { openProviders } from './open-providers.ts';

interface GenerationDeps {
  readonly database: Database;
  readonly spooler: Spooler;
  /** Whether this process takes jobs from the queue. */
  readonly works: boolean;
  readonly closing: Closing;
  readonly log: Logger;
  readonly observers: Observers;
}

/** Opens what brings new images in: the fetcher, the providers, the events of images and the queue. */
export async function openGeneration(config: Config, deps: GenerationDeps) {
  const { database, spooler, works, closing, log, observers } = deps;
  const fetcher = openFetcher({
    spooler,
    allowPrivate: config.allowPrivateSources,
    timeoutSeconds: config.fetchTimeoutSeconds,
  });
  closing.add('fetcher', () => fetcher.close());
  const poster = openPoster({
    allowPrivate: config.webhookAllowPrivate,
    timeoutSeconds: config.webhookTimeoutSeconds,
  });
  closing.add('client of webhooks', () => poster.close());
  const { providers, closeProviders } = openProviders(config, observers);
  closing.add('providers', closeProviders);
  const imageEvents = makeImageEvents(database, log);
  closing.add('image events', () => imageEvents.close());
  const names = providers.all.map(({ name }) => name);
  const jobs = await openGenerationJobs(database, {
    providers: names,
    works,
    log,
    tracing: observers.tracing,
  });
  closing.add('queue', () => jobs.stop());
  return { fetcher, poster, providers, imageEvents, jobs };
}
