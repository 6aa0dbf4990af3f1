import type { Queryable } from '../database/database.ts';
import { DISK_WORDS } from '../database/pglite/disk-fault.ts';
import { FixativeError } from '../errors.ts';
import { withTimeLimit } from '../time.ts';
import type { StorageDeps } from './deps.ts';
import type { Store } from './stores/store.ts';

export interface StoreHealth {
  readonly name: string;
  readonly kind: string;
  /** Whether it answered a probe just now. */
  readonly reachable: boolean;
  /** Why it is not reachable or takes no writes; null: no reason is known. */
  readonly error: string | null;
  /** Number of healthy copies on record, and the sum of their bytes. */
  readonly copies: number;
  readonly bytes: number;
  readonly missing: number;
  readonly corrupt: number;
  readonly pending: number;
  /** Number of blobs that are too large for the store. */
  readonly tooLarge: number;
  readonly lastVerifiedAt: Date | null;
}

type Counts = Omit<StoreHealth, 'name' | 'kind' | 'reachable' | 'error'>;

const NO_COPIES: Counts = {
  copies: 0,
  bytes: 0,
  missing: 0,
  corrupt: 0,
  pending: 0,
  tooLarge: 0,
  lastVerifiedAt: null,
};
const PROBE_TIMEOUT_SECONDS = 5;
/** A key that no blob has. A store that works answers null for it. */
const PROBE_KEY = 'probe/0000';

const COUNT = `
  SELECT store,
    count(*) FILTER (WHERE state = 'STORED') AS copies,
    coalesce(sum(bytes) FILTER (WHERE state = 'STORED'), 0)::bigint AS bytes,
    count(*) FILTER (WHERE state = 'MISSING') AS missing,
    count(*) FILTER (WHERE state = 'CORRUPT') AS corrupt,
    count(*) FILTER (WHERE state = 'PENDING') AS pending,
    count(*) FILTER (WHERE state = 'TOO_LARGE') AS "tooLarge",
    max(verified_at) AS "lastVerifiedAt"
  FROM copies GROUP BY store`;

/** Probes every store and counts its copies on record. */
export async function readStoreHealth(
  deps: Pick<StorageDeps, 'database' | 'stores' | 'outages' | 'diskHealth' | 'space'>,
): Promise<StoreHealth[]> {
  const rows = await deps.database.query<Counts & { store: string }>(COUNT);
  const counts = new Map(rows.map(({ store, ...rest }) => [store, rest]));
  return Promise.all(
    deps.stores.map(async (store) => {
      const unreachable = await probe(store, PROBE_TIMEOUT_SECONDS);
      return {
        name: store.name,
        kind: store.kind,
        reachable: unreachable === null,
        error: unreachable ?? deps.outages.reasonOf(store.name) ?? (await diskErrorOf(deps, store)),
        ...(counts.get(store.name) ?? NO_COPIES),
      };
    }),
  );
}

/** Returns whether a store answers a probe within `seconds`. */
export async function isReachable(store: Store, seconds = PROBE_TIMEOUT_SECONDS): Promise<boolean> {
  return (await probe(store, seconds)) === null;
}

/** Returns why a store does not answer a probe within `seconds`; null: it answers. */
async function probe(store: Store, seconds: number): Promise<string | null> {
  const answer = store.stat(PROBE_KEY).then(
    () => null,
    (error: unknown) =>
      error instanceof FixativeError ? error.message : `${store.name} failed; the log has the details.`,
  );
  return withTimeLimit(seconds * 1000, answer, () => `${store.name} did not answer within ${seconds} s.`);
}

/** Returns why the disk of a store takes no writes; null: it takes them, or the store is on no disk here. */
async function diskErrorOf(
  { diskHealth, space }: Pick<StorageDeps, 'diskHealth' | 'space'>,
  { name, kind }: Store,
): Promise<string | null> {
  if (kind !== 'filesystem') return null;
  const fault = diskHealth.faultOf(name);
  if (fault !== null) return `${name} cannot write: ${DISK_WORDS[fault]}.`;
  return space.require(0).then(
    () => null,
    (error: unknown) => (error instanceof FixativeError ? error.message : null),
  );
}

/** Counts of blobs that have lost copies. lost: no healthy copy is left. atRisk: one is left. */
export interface BlobsInDanger {
  readonly lost: number;
  readonly atRisk: number;
}

const DANGER = `
  SELECT count(*) FILTER (WHERE healthy = 0) AS lost, count(*) FILTER (WHERE healthy = 1) AS "atRisk"
  FROM (
    SELECT (SELECT count(*) FROM copies c WHERE c.blob_id = bad.blob_id AND c.state = 'STORED') AS healthy
    FROM (SELECT DISTINCT blob_id FROM copies WHERE state IN ('MISSING', 'CORRUPT')) bad
  ) blobs`;

export async function countInDanger(db: Queryable): Promise<BlobsInDanger> {
  const [row] = await db.query<BlobsInDanger>(DANGER);
  return row ?? { lost: 0, atRisk: 0 };
}
