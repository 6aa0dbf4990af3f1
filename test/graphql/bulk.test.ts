/** Mutations of many images, compared with the mutations of one image on a twin of the same rows. */
import { print } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { executeRun } from '../../src/image/maintenance/execute.ts';
import { makeMaintenanceWorks } from '../../src/job/maintenance-works.ts';
import {
  BulkResultsDocument,
  type BulkResultsQuery,
  CancelMaintenanceRunDocument,
  DeleteImageDocument,
  DeleteImagesDocument,
  PurgeImageDocument,
  PurgeImagesDocument,
  RestoreImagesDocument,
  UndeleteImageDocument,
  UndeleteImagesDocument,
  UpdateImageDocument,
  UpdateImagesDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture, makeRandom } from '../pictures.ts';
import { insertImages } from '../retention/model.ts';
import { upload } from '../upload.ts';

/** Images of each twin. */
const IMAGES = 360;

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp({ RATE_LIMIT_PER_MINUTE: '0', MAX_QUERY_MUTATIONS: '100' });
});
afterAll(() => app?.close());
beforeEach(async () => {
  await app.database.query('DELETE FROM generated_images');
  await app.database.query('DELETE FROM tombstones');
  // insertImages counts ids from the last one.
  await app.database.query(`SELECT setval(pg_get_serial_sequence('generated_images', 'id'), 1, false)`);
});

interface Row {
  readonly id: number;
  readonly uuid: string;
  readonly state: string;
}

/** Rows by id, with everything that a bulk change may change. */
const readRows = () =>
  app.database.query<Row>(
    `SELECT id, uuid::text, concat_ws('|', user_id, status, array_to_string(tags, ','), metadata::text, visibility, pinned,
       deleted_at IS NOT NULL, part) AS state
     FROM generated_images ORDER BY id`,
  );

/** Inserts the same images twice. @returns the rows of both twins, number for number. */
async function insertTwins(): Promise<[Row[], Row[]]> {
  await insertImages(app.database, IMAGES);
  await insertImages(app.database, IMAGES);
  const rows = await readRows();
  return [rows.slice(0, IMAGES), rows.slice(IMAGES)];
}

type Verb = 'update' | 'delete' | 'undelete' | 'purge';

const CHANGES = [
  { addTags: ['new'] },
  { removeTags: ['draft', 'none'] },
  { tags: ['only'] },
  { mergeMetadata: { a: 1 } },
  { visibility: 'PRIVATE' },
  { pinned: true },
  // More tags than an image may have: some images refuse.
  { addTags: Array.from({ length: 49 }, (_each, i) => `tag-${i}`) },
] as const;

/** Changes one image by its own mutation. @returns the code of its error; null: none. */
async function changeOne(verb: Verb, id: string, changes: object): Promise<string | null> {
  const documents = {
    delete: DeleteImageDocument,
    undelete: UndeleteImageDocument,
    purge: PurgeImageDocument,
  };
  const document = verb === 'update' ? UpdateImageDocument : documents[verb];
  const data = await app.ask(document as typeof UpdateImageDocument, { input: { id, ...changes } });
  const [payload] = Object.values(data) as { userErrors: { code: string }[] }[];
  return payload?.userErrors[0]?.code ?? null;
}

const MANY = {
  update: UpdateImagesDocument,
  delete: DeleteImagesDocument,
  undelete: UndeleteImagesDocument,
  restore: RestoreImagesDocument,
  purge: PurgeImagesDocument,
};

async function changeMany(verb: keyof typeof MANY, input: object) {
  const data = await app.ask(MANY[verb] as typeof UpdateImagesDocument, { input: input as never });
  const [payload] = Object.values(data) as unknown as (typeof data)['updateImages'][];
  if (!payload) throw new Error('there is no payload');
  return payload;
}

type Run = Extract<NonNullable<BulkResultsQuery['node']>, { dryRun: boolean }>;

const readRun = async (id: string, more: object = {}): Promise<Run> =>
  (await app.ask(BulkResultsDocument, { id, first: 100, ...more })).node as Run;

/** Waits for the end of a run. @returns the run with all its results. */
async function ended(id: string): Promise<{ run: Run; results: Run['results']['nodes'][number][] }> {
  await eventually(async () => expect((await readRun(id)).state).not.toMatch(/PENDING|RUNNING/));
  const results: Run['results']['nodes'][number][] = [];
  let after: string | null | undefined = null;
  for (;;) {
    const run: Run = await readRun(id, { after });
    results.push(...run.results.nodes);
    if (!run.results.pageInfo.hasNextPage) return { run, results };
    after = run.results.pageInfo.endCursor;
  }
}

const stateOf = (rows: readonly Row[]) => rows.map(({ state }) => state);
/** Rows with their number within their twin, so that both twins can be compared. */
const numbered = (rows: readonly Row[], twin: readonly Row[]) => {
  const numbers = new Map(twin.map(({ id }, number) => [id, number]));
  return rows.flatMap(({ id, state }) => (numbers.has(id) ? [`${numbers.get(id)} ${state}`] : []));
};

const withoutUser = (row: string) => row.replace(/ (one|many)\|/, ' ');

test.each([1, 2, 3])('changes images as the mutations of one image do (seed %i)', async (seed) => {
  const random = makeRandom(seed);
  const [one, many] = await insertTwins();
  for (let round = 0; round < 6; round++) {
    const verb = (['update', 'update', 'delete', 'undelete', 'purge'] as const)[
      Math.floor(random() * 5)
    ] as Verb;
    const changes = verb === 'update' ? { ...CHANGES[Math.floor(random() * CHANGES.length)] } : {};
    const numbers = Array.from({ length: 60 }, () => Math.floor(random() * IMAGES));
    const expected: (string | null)[] = [];
    for (const number of numbers) expected.push(await changeOne(verb, one[number]?.uuid ?? '', changes));

    const ids = numbers.map((number) => many[number]?.uuid ?? '');
    const before = await readRows();
    const tried = await changeMany(verb, { ids, ...changes, dryRun: true });
    expect(stateOf(await readRows()), 'a dry run changes nothing').toEqual(stateOf(before));
    const { results, userErrors } = await changeMany(verb, { ids, ...changes });
    expect(userErrors).toEqual([]);
    expect(results.map(({ error }) => error?.code ?? null)).toEqual(expected);
    // A purge that was only tried leaves an image for its second mention.
    if (verb !== 'purge')
      expect(tried.results.map(({ outcome }) => outcome)).toEqual(results.map(({ outcome }) => outcome));
    const after = await readRows();
    expect(numbered(after, many), `${verb} ${JSON.stringify(changes)}`).toEqual(numbered(after, one));
  }
});

test.each(['update', 'delete', 'undelete', 'purge'] as const)(
  'changes the images of a filter as those of its ids: %s',
  async (verb) => {
    const [one, many] = await insertTwins();
    const filter = {
      userId: 'many',
      parts: true,
      ...(verb === 'undelete' ? { trash: 'ONLY' } : { anyTag: ['draft'] }),
    };
    const changes = verb === 'update' ? { addTags: ['new'], removeTags: ['draft'] } : {};
    await app.database.query(
      `UPDATE generated_images SET user_id = CASE WHEN id <= $1 THEN 'one' ELSE 'many' END`,
      [one.at(-1)?.id],
    );
    const tried = await changeMany(verb, { filter, ...changes, dryRun: true });
    const guess = await ended(tried.run?.id ?? '');
    expect(guess.run).toMatchObject({ state: 'COMPLETED', dryRun: true });
    const { run, userErrors } = await changeMany(verb, { filter, ...changes });
    expect(userErrors).toEqual([]);
    const end = await ended(run?.id ?? '');
    const count = end.results.length;
    expect(count).toBeGreaterThan(5);
    const failed = end.results.filter(({ outcome }) => outcome === 'FAILED').length;
    const changed = end.results.filter(({ outcome }) => outcome === 'CHANGED').length;
    expect(changed).toBeGreaterThan(3);
    expect(end.run).toMatchObject({
      state: 'COMPLETED',
      kind: 'BULK',
      mutation: `${verb}Images`,
      startedBy: 'root',
      total: count,
      checked: count,
      changed,
      failed,
      skipped: count - changed - failed,
    });
    // A run that deletes a whole has deleted its parts before their turn comes.
    const isLeft = (i: number) => end.results[i]?.outcome === 'SKIPPED';
    expect(
      guess.results.map(({ imageId, outcome }, i) => [imageId, isLeft(i) ? 'SKIPPED' : outcome]),
    ).toEqual(end.results.map(({ imageId, outcome }) => [imageId, outcome]));
    // The other twin, one by one.
    const uuids = new Set(end.results.map(({ imageId }) => atob(imageId).split(':')[1]));
    const numbers = many.flatMap(({ uuid }, number) => (uuids.has(uuid) ? [number] : []));
    for (const number of numbers) await changeOne(verb, one[number]?.uuid ?? '', changes);
    const after = await readRows();
    expect(numbered(after, many).map(withoutUser)).toEqual(numbered(after, one).map(withoutUser));
  },
);

test('records each change in the audit log, as done by who asked', async () => {
  await insertImages(app.database, 40);
  const rows = (await readRows()).filter(({ state }) => state.endsWith('|f'));
  const ids = rows.slice(0, 5).map(({ uuid }) => uuid);
  await changeMany('delete', { ids });
  const { run } = await changeMany('undelete', { filter: { trash: 'ONLY' } });
  const { results } = await ended(run?.id ?? '');
  expect(results.length).toBeGreaterThanOrEqual(5);
  for (const [action, from] of [
    ['image.delete', 'root'],
    ['image.undelete', 'root'],
  ]) {
    const entries = await app.database.query<{ subject: string }>(
      'SELECT subject_id AS subject FROM audit_entries WHERE action = $1 AND actor_name = $2 AND subject_id = ANY($3)',
      [action, from, ids],
    );
    expect(entries.map(({ subject }) => subject).sort()).toEqual([...ids].sort());
  }
});

test.runIf(process.env.TEST_DATABASE_URL)(
  'leaves an image alone that does not match the filter any more',
  async () => {
    await insertImages(app.database, 200);
    await app.database.query(
      `UPDATE generated_images SET tags = '{go}', deleted_at = NULL, part_of = NULL, part = NULL`,
    );
    const rows = await readRows();
    const left = [rows[0], rows[150]];
    // The lock of the first image holds the run up, after it has selected.
    const id = await app.database.transaction(async (transaction) => {
      await transaction.query('SELECT 1 FROM generated_images WHERE id = $1 FOR UPDATE', [rows[0]?.id]);
      const { run } = await changeMany('delete', { filter: { tags: ['go'] } });
      await eventually(async () => expect((await readRun(run?.id ?? '')).total).toBe(200));
      const ids = left.map((row) => row?.id);
      await transaction.query(`UPDATE generated_images SET tags = '{}' WHERE id = ANY($1::bigint[])`, [ids]);
      return run?.id ?? '';
    });
    const { results } = await ended(id);
    const skipped = results.filter(({ outcome }) => outcome === 'SKIPPED');
    expect(skipped.map(({ imageId }) => atob(imageId).split(':')[1])).toEqual(left.map((row) => row?.uuid));
    expect(results.filter(({ outcome }) => outcome === 'CHANGED')).toHaveLength(198);
  },
);

test('restores the copies of images, and says which it could not', async () => {
  const images = await Promise.all(
    [1, 2, 3].map(async (seed) =>
      upload(app, { content: await makePicture({ seed: 770_000 + seed, width: 9, height: 9 }) }),
    ),
  );
  await app.storage.settled();
  const ids = images.map(({ image }) => image?.id ?? '');
  const [damaged, lost, healthy] = images.map(({ image }) => image?.copies ?? []);
  const store = (name: string | undefined) => app.storage.stores.find((each) => each.name === name);
  await store(damaged?.[0]?.store)?.delete(damaged?.[0]?.key ?? '');
  for (const copy of lost ?? []) await store(copy.store)?.delete(copy.key);
  const outcomes = async (input: object) =>
    (await changeMany('restore', { ids, ...input })).results.map(({ outcome }) => outcome);
  expect(await outcomes({ dryRun: true })).toEqual(['CHANGED', 'FAILED', 'UNCHANGED']);
  expect(await store(damaged?.[0]?.store)?.stat(damaged?.[0]?.key ?? '')).toBeNull();
  const { results } = await changeMany('restore', { ids });
  expect(results).toMatchObject([
    { imageId: ids[0], outcome: 'CHANGED', error: null },
    { imageId: ids[1], outcome: 'FAILED', error: { code: 'BYTES_LOST' } },
    { imageId: ids[2], outcome: 'UNCHANGED', error: null },
  ]);
  expect(await outcomes({})).toEqual(['UNCHANGED', 'FAILED', 'UNCHANGED']);
  expect(healthy).not.toEqual([]);
});

describe('input', () => {
  const none = '00000000-0000-4000-8000-000000000000';
  test.each([
    ['delete', {}, 'INVALID_INPUT', 'either ids or filter'],
    ['delete', { ids: [none], filter: {} }, 'INVALID_INPUT', 'either ids or filter'],
    ['delete', { ids: [] }, 'INVALID_INPUT', '1 to 250'],
    ['delete', { ids: Array.from({ length: 251 }, () => none) }, 'INVALID_INPUT', '1 to 250'],
    ['delete', { ids: [none, 'x'] }, 'INVALID_ID', '"x"'],
    ['update', { ids: [none] }, 'INVALID_INPUT', 'nothing to change'],
    ['update', { filter: {}, tags: ['a'], addTags: ['b'] }, 'INVALID_INPUT', 'not both'],
    ['update', { filter: { sha256: 'x' }, tags: [] }, 'INVALID_INPUT', 'sha256'],
    ['restore', { ids: [none], stores: ['nowhere'] }, 'INVALID_INPUT', 'nowhere'],
    ['purge', { filter: {} }, 'INVALID_INPUT', 'trash: ONLY'],
    ['purge', { filter: { userId: 'user-1' } }, 'INVALID_INPUT', 'trash: ONLY'],
  ] as const)('%s refuses %j', async (verb, input, code, text) => {
    const { userErrors, results, run } = await changeMany(verb, input);
    expect(userErrors).toMatchObject([{ code, message: expect.stringContaining(text) }]);
    expect([results, run]).toEqual([[], null]);
  });

  test('an id of no image fails alone', async () => {
    await insertImages(app.database, 3);
    const [row] = await readRows();
    const { results } = await changeMany('update', { ids: [none, row?.uuid], pinned: true });
    expect(results).toMatchObject([
      { outcome: 'FAILED', error: { code: 'NOT_FOUND', retryable: false } },
      { outcome: 'CHANGED', error: null },
    ]);
  });
});

describe('a run', () => {
  async function as(token: string, document: typeof BulkResultsDocument, variables: object) {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query: print(document), variables }),
    });
    return (await response.json()) as {
      data: { node: Run | null };
      errors?: { extensions: { code: string } }[];
    };
  }
  const tokenOf = async (userId: string | null, scopes = ['images:read', 'images:write']) =>
    (await app.services.tokens.create({ name: 'bulk', scopes: scopes as never, userId })).token;

  test('changes and shows only the images that its user may see', async () => {
    await insertImages(app.database, 60);
    const before = await readRows();
    const ann = await tokenOf('user-3');
    const { data } = (await as(ann, DeleteImagesDocument as never, { input: { filter: {} } })) as never as {
      data: { deleteImages: { run: { id: string } } };
    };
    const { id } = data.deleteImages.run;
    const { results } = await ended(id);
    const after = await readRows();
    const changed = after.filter(({ state }, i) => state !== before[i]?.state);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every(({ state }) => state.startsWith('user-3'))).toBe(true);
    const own = (await as(ann, BulkResultsDocument, { id, first: 100 })).data.node;
    expect(own?.results.nodes.map(({ imageId }) => imageId)).toEqual(results.map(({ imageId }) => imageId));
    expect(own?.filter).toEqual({ userId: 'user-3' });
    expect((await as(await tokenOf('user-4'), BulkResultsDocument, { id })).data.node).toBeNull();
    expect(
      (await as(await tokenOf('user-3', ['images:write']), BulkResultsDocument, { id })).data?.node ?? null,
    ).toBeNull();
    const watcher = await tokenOf('user-4', ['images:read', 'stores:read']);
    const seen = (await as(watcher, BulkResultsDocument, { id, first: 100 })).data.node;
    expect(seen).toMatchObject({ state: 'COMPLETED', filter: null, results: { nodes: [] } });
  });

  test('is cancelled by its user or an admin, and by nobody else', async () => {
    const make = async () => {
      const options = {
        bulk: {
          change: { verb: 'DELETE' },
          dryRun: false,
          visibleTo: 'user-3',
          actor: { kind: 'token', name: 't' },
        },
      };
      const [row] = await app.database.query<{ id: string }>(
        `INSERT INTO maintenance_runs (kind, stores, filter, options, started_by) VALUES ('BULK', '{}', '{}', $1::text::json, 't') RETURNING id`,
        [JSON.stringify(options)],
      );
      return btoa(`MaintenanceRun:${row?.id}`);
    };
    const cancel = async (token: string, id: string) => {
      const { data, errors } = (await as(token, CancelMaintenanceRunDocument as never, {
        input: { id },
      })) as never as {
        data: { cancelMaintenanceRun: { run: { state: string } } | null };
        errors?: { extensions: { code: string } }[];
      };
      return errors?.[0]?.extensions.code ?? data.cancelMaintenanceRun?.run.state;
    };
    const id = await make();
    expect(await cancel(await tokenOf('user-4'), id)).toBe('FORBIDDEN');
    expect(await cancel(await tokenOf('user-3', ['images:read']), id)).toBe('FORBIDDEN');
    expect(await cancel(await tokenOf('user-3'), btoa(`MaintenanceRun:${none}`))).toBe('FORBIDDEN');
    expect(await cancel(await tokenOf('user-3'), id)).toBe('CANCELLED');
    expect(await cancel(await tokenOf(null), await make())).toBe('CANCELLED');
    expect(await cancel(await tokenOf(null, ['admin']), await make())).toBe('CANCELLED');
  });
  const none = '00000000-0000-4000-8000-000000000000';

  test('that was to be cancelled when its server died changes nothing when another one takes it', async () => {
    await insertImages(app.database, 20);
    const options = {
      bulk: {
        change: { verb: 'PURGE' },
        dryRun: false,
        visibleTo: null,
        actor: { kind: 'token', name: 't' },
      },
    };
    const [row] = await app.database.query<{ id: string }>(
      `INSERT INTO maintenance_runs (kind, state, stores, filter, options, started_by, cancel_requested_at, heartbeat_at)
       VALUES ('BULK', 'RUNNING', '{}', '{}', $1::text::json, 't', now(), now()) RETURNING id`,
      [JSON.stringify(options)],
    );
    const { services } = app;
    const works = makeMaintenanceWorks(services);
    await executeRun(services, works, row?.id ?? '', new AbortController().signal);
    expect((await readRun(btoa(`MaintenanceRun:${row?.id}`))).state).toBe('CANCELLED');
    expect((await readRows()).length).toBe(20);
  });

  test('is one of five of its user, and leaves a place to others', async () => {
    await app.database.query(
      `INSERT INTO maintenance_runs (kind, stores, options, started_by)
       SELECT 'BULK', '{}', '{"bulk": {"visibleTo": "user-3"}}', 't' FROM generate_series(1, 5)`,
    );
    const start = async (userId: string) => {
      const input = { filter: { tags: ['none'] } };
      const { data } = (await as(await tokenOf(userId), DeleteImagesDocument as never, {
        input,
      })) as never as {
        data: { deleteImages: { userErrors: { code: string; message: string }[] } };
      };
      return data.deleteImages.userErrors;
    };
    expect(await start('user-3')).toMatchObject([
      { code: 'LIMIT_REACHED', message: expect.stringContaining('5 runs of yours') },
    ]);
    expect(await start('user-4')).toEqual([]);
    await app.database.query(`DELETE FROM maintenance_runs WHERE kind = 'BULK'`);
  });

  test('waits behind no more than fifty others', async () => {
    await app.database.query(
      `INSERT INTO maintenance_runs (kind, stores, options, started_by) SELECT 'BULK', '{}', '{}', 't' FROM generate_series(1, 50)`,
    );
    const { userErrors } = await changeMany('delete', { filter: { tags: ['none'] } });
    expect(userErrors).toMatchObject([{ code: 'LIMIT_REACHED' }]);
    await app.database.query(`DELETE FROM maintenance_runs WHERE kind = 'BULK'`);
    expect((await changeMany('delete', { filter: { tags: ['none'] } })).userErrors).toEqual([]);
  });
});
