import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DURABILITIES, type Durability } from '../../src/image/copies.ts';
import { watchImages } from '../../src/image/events/watch.ts';
import { findStores, withStores } from '../../src/image/list/durability.ts';
import { makeChance } from '../compare/chance.ts';
import { DurabilityDocument, type ImageFilter } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';

const STORES = ['filesystem', 'database', 'memory'];
/** A store that is not configured any more. */
const FORMER = 'former';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp({ STORES: STORES.join() });
});
afterAll(() => app.close());

interface MadeBlob {
  readonly id: number;
  /** State by store; a store that is not here has no copy on record. */
  readonly copies: Readonly<Record<string, string>>;
}

/** Makes blobs with an image each, and some with two; some images have no blob. */
async function makeBlobs(blobs: readonly MadeBlob[], created: string): Promise<void> {
  const rows = blobs.flatMap(({ id, copies }) =>
    Object.entries(copies).map(([store, state]) => ({ id, store, state })),
  );
  const ids = blobs.map(({ id }) => id);
  await app.database.query(
    `INSERT INTO blobs (id, sha256, bytes, mime_type, width, height, thumbhash, created_at)
     SELECT id, lpad(id::text, 64, '0'), 1000, 'image/png', 1, 1, '', ${created} FROM unnest($1::bigint[]) id`,
    [ids],
  );
  // No repair is due during the test.
  await app.database.query(
    `INSERT INTO copies (blob_id, store, state, key, retry_at)
     SELECT (r->>'id')::bigint, r->>'store', r->>'state', r->>'id', now() + interval '1 day' FROM jsonb_array_elements($1::jsonb) r`,
    [JSON.stringify(rows)],
  );
  await app.database.query(
    `INSERT INTO generated_images (user_id, prompt, blob_id, created_at)
     SELECT 'user-' || id % 3, 'p', CASE WHEN id % 10 > 0 THEN id END, timestamptz '2026-01-01' + make_interval(secs => id)
     FROM (SELECT unnest($1::bigint[]) AS id UNION ALL SELECT id FROM unnest($1::bigint[]) id WHERE id % 7 = 0) each`,
    [ids],
  );
  await app.database.executeSql('ANALYZE');
}

/** Returns the images of a filter with their durability, as a client pages through them. */
async function listAll(filter: ImageFilter) {
  const found: { databaseId: number; durability: string | null }[] = [];
  for (let after: string | null = null; ; ) {
    const { images, imageStats }: Awaited<ReturnType<typeof page>> = await page(filter, after);
    found.push(...images.nodes);
    after = images.pageInfo.endCursor;
    if (!images.pageInfo.hasNextPage)
      return {
        found,
        count: images.totalCount,
        exact: images.totalCountIsExact,
        total: imageStats.total,
        by: imageStats.byDurability,
      };
  }
}
const page = (filter: ImageFilter, after: string | null) => app.ask(DurabilityDocument, { filter, after });

/** Compares the filter with the field by every set of durabilities. */
async function compareAll(): Promise<Map<string | null, number>> {
  const { found: all } = await listAll({});
  for (const more of [{}, { userId: 'user-1' }] satisfies ImageFilter[]) {
    const { found: some } = await listAll(more);
    for (let set = 1; set < 2 ** DURABILITIES.length; set++) {
      const durability = DURABILITIES.filter((_, place) => set & (1 << place));
      const expected = some.filter((image) => durability.some((each) => each === image.durability));
      const about = JSON.stringify({ durability, ...more });
      const { found, ...counts } = await listAll({ durability, ...more });
      expect(found, about).toEqual(expected);
      const of = (each: Durability) => found.filter((image) => image.durability === each).length;
      expect(counts, about).toEqual({
        count: expected.length,
        exact: true,
        total: expected.length,
        by: { durable: of('DURABLE'), degraded: of('DEGRADED'), atRisk: of('AT_RISK'), lost: of('LOST') },
      });
    }
  }
  return new Map(
    Map.groupBy(all, ({ durability }) => durability)
      .entries()
      .map(([d, images]) => [d, images.length]),
  );
}

describe('the filter by durability finds the images whose durability is one of these', () => {
  const chance = makeChance(20_261_130);
  const makeStates = (absent: number): MadeBlob['copies'] => {
    const healthy = chance.of(0.6);
    const states = STORES.filter(() => !chance.of(absent)).map((store) => [
      store,
      healthy ? 'STORED' : chance.oneOf(['STORED', 'STORED', 'PENDING', 'MISSING', 'CORRUPT', 'TOO_LARGE']),
    ]);
    const former = chance.of(0.2) ? [[FORMER, chance.oneOf(['STORED', 'MISSING', 'PENDING'])]] : [];
    return Object.fromEntries([...states, ...former]);
  };
  const stores = () => findStores({ database: app.database, stores: STORES.map((name) => ({ name })) });
  let id = 0;
  const some = (count: number, absent: number) =>
    Array.from({ length: count }, () => ({ id: ++id, copies: makeStates(absent) }));

  test('when each store has a copy on record', async () => {
    await makeBlobs(some(300, 0), `now() - interval '2 hours'`);
    await makeBlobs(some(100, 0), 'now()');
    expect(await stores()).toEqual({ names: STORES, allOnRecord: true });
    const counts = await compareAll();
    for (const each of [...DURABILITIES, null]) expect(counts.get(each), String(each)).toBeGreaterThan(10);
  });

  test('of new images too, and while a blob is being removed', async () => {
    await makeBlobs(some(100, 0), 'now()');
    await app.database.query(
      `INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash, condemned_at, id)
       VALUES (lpad('c', 64, 'c'), 1, 'image/png', 1, 1, '', now(), 900)`,
    );
    expect(await stores()).toMatchObject({ allOnRecord: true });
    await compareAll();
  });

  test('when a new store has no copies on record yet', async () => {
    id = 1000;
    await makeBlobs(some(200, 0.3), `now() - interval '2 hours'`);
    await makeBlobs(
      [
        { id: 2001, copies: {} },
        { id: 2002, copies: { [FORMER]: 'STORED' } },
      ],
      'now()',
    );
    expect(await stores()).toMatchObject({ allOnRecord: false });
    await compareAll();
  });

  test('and counts the copies on record once for requests that come together', async () => {
    let counts = 0;
    const query: typeof app.database.query = (...statement) => {
      counts++;
      return app.database.query(...statement);
    };
    const database = { ...app.database, query };
    const find = () => findStores({ database, stores: STORES.map((name) => ({ name })) });
    for (const found of await Promise.all([find(), find(), find()]))
      expect(found).toEqual({ names: STORES, allOnRecord: false });
    await find();
    expect(counts).toBe(1);
  });

  test('and imagesUpdated sends them', async () => {
    const deps = { database: app.database, stores: app.storage.stores };
    const events = watchImages(app.services, await withStores(deps, { durability: ['LOST'] }));
    const [lost] = (await listAll({ durability: ['LOST'] })).found;
    const [durable] = (await listAll({ durability: ['DURABLE'] })).found;
    for (const image of [durable, lost])
      await app.database.query(
        `UPDATE generated_images SET prompt = 'changed', updated_at = now() WHERE id = $1`,
        [image?.databaseId],
      );
    // Images that were made a moment ago come first.
    const sent: number[] = [];
    while (sent.at(-1) !== lost?.databaseId) {
      const { value } = await events.next();
      sent.push(Number(value?.image.id));
    }
    expect(sent).not.toContain(durable?.databaseId);
    await events.return?.();
  });
});
