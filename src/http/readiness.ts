import type { ServerResponse } from 'node:http';
import type { Services } from '../graphql/context.ts';
import { isReachable } from '../storage/health.ts';
import { sendJson } from './response/send.ts';

/**
 * Seconds that an idle worker may take between two looks at the queue. It looks every 30 seconds at the
 * latest.
 */
const WORKERS_LATE_SECONDS = 90;
/** Seconds that /ready waits for a store that is not required. */
const OPTIONAL_STORE_SECONDS = 0.5;

/** The workers of this process, which take generations from the queue. */
export interface Workers {
  /** Seconds since every idle worker has looked for work; null: this process takes none. */
  secondsSincePoll(): number | null;
}

interface ReadinessDeps {
  readonly services: Pick<Services, 'database' | 'storage'>;
  readonly workers: Workers;
  /** Whether the server accepts no more connections. */
  readonly isDraining: () => boolean;
}

/**
 * The server is ready when the database and every required store answer. The state of the other stores is
 * reported, but not waited for: probes time out after about a second. Late workers and a full disk do not
 * make the server unready, because it serves without them.
 */
async function checkReadiness({ services, isDraining }: ReadinessDeps) {
  const { stores: all, required } = services.storage;
  const asked = all.map(async (store) => {
    const isRequired = required.has(store.name);
    const isThere = await isReachable(store, isRequired ? undefined : OPTIONAL_STORE_SECONDS);
    return { name: store.name, isThere, isRequired };
  });
  const database = await services.database.query('SELECT 1').then(
    () => true,
    () => false,
  );
  const stores = await Promise.all(asked);
  const lacksStore = stores.some(({ isThere, isRequired }) => isRequired && !isThere);
  return { ready: database && !lacksStore && !isDraining(), database, stores };
}

/** Answers `GET /ready`. */
export async function serveReady(deps: ReadinessDeps, response: ServerResponse): Promise<void> {
  const { ready, database, stores } = await checkReadiness(deps);
  const since = deps.workers.secondsSincePoll();
  sendJson(response, ready ? 200 : 503, {
    status: ready ? 'ready' : 'not ready',
    database,
    stores: Object.fromEntries(stores.map(({ name, isThere }) => [name, isThere])),
    required: stores.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    disk: (await deps.services.storage.diskFault()) ?? 'ok',
    ...(since === null ? {} : { workers: since < WORKERS_LATE_SECONDS }),
  });
}
