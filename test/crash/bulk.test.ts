/** Changes of many images over the end of the server that makes them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Queryable } from '../../src/database/database.ts';
import {
  BulkResultsDocument,
  type BulkResultsQuery,
  type ImageFilter,
  PurgeImagesDocument,
  UpdateImagesDocument,
} from '../generated/graphql.ts';
import { allEvents } from '../graphql/maintenance-runs.ts';
import { eventually } from '../harness.ts';
import { insertImages } from '../retention/model.ts';
import { AGE_HEARTBEATS, makeRunServer, type RunServer } from './run-server.ts';

/** So many that the server can be killed before their run ends. */
const IMAGES = 4000;

let server: RunServer;
beforeEach(async () => {
  server = await makeRunServer();
  await server.withDatabase(({ database }) => insertImages(database, IMAGES));
}, 120_000);
afterEach(() => server.remove());

type Run = Extract<NonNullable<BulkResultsQuery['node']>, { dryRun: boolean }>;
const readRun = async (id: string) =>
  (await server.ask<BulkResultsQuery>(BulkResultsDocument, { id })).node as Run;

/**
 * Starts a run, kills the server in the middle, and lets another one end it. @returns the run.
 * @param filter of images whose number shows that the run has begun.
 */
async function runOverKill(
  filter: ImageFilter,
  start: () => Promise<string>,
  check: (db: Queryable) => Promise<void>,
): Promise<Run> {
  await server.start();
  const before = await server.count(filter);
  const id = await start();
  await eventually(async () => expect(await server.count(filter)).not.toBe(before));
  await server.kill();
  await server.withDatabase(async ({ database }) => {
    await check(database);
    await database.query(AGE_HEARTBEATS);
  });
  const events = await allEvents(await server.start(), id);
  expect(events.at(-1)?.run.state).toBe('COMPLETED');
  return readRun(id);
}

const count = async (db: Queryable, sql: string) =>
  (await db.query<{ count: number }>(`SELECT count(*) AS count FROM ${sql}`))[0]?.count ?? 0;

test('an update goes on after the next start, and changes each image once', async () => {
  let marked = 0;
  const run = await runOverKill(
    { tags: ['seen'], parts: true },
    async () => {
      const { updateImages } = await server.ask<{ updateImages: { run: { id: string } } }>(
        UpdateImagesDocument,
        {
          input: { filter: { parts: true }, mergeMetadata: { seen: true }, addTags: ['seen'] },
        },
      );
      return updateImages.run.id;
    },
    async (db) => {
      marked = await count(db, `generated_images WHERE tags @> '{seen}'`);
      expect(marked).toBeGreaterThan(0);
    },
  );
  expect(marked, 'it was killed before its end').toBeLessThan(run.total ?? 0);
  expect(run).toMatchObject({ checked: run.total, changed: run.total, failed: 0, skipped: 0 });
  await server.stop();
  await server.withDatabase(async ({ database: db }) => {
    expect(await count(db, `generated_images WHERE tags @> '{seen}' AND metadata @> '{"seen": true}'`)).toBe(
      run.total,
    );
    expect(await count(db, `generated_images WHERE deleted_at IS NULL AND NOT tags @> '{seen}'`)).toBe(0);
    const entries = await db.query<{ most: number }>(
      `SELECT count(*) AS most FROM audit_entries WHERE action = 'image.update' GROUP BY subject_id ORDER BY 1 DESC LIMIT 1`,
    );
    expect(entries).toEqual([{ most: 1 }]);
  });
}, 120_000);

test('a purge goes on after the next start, and says of each image that it is purged', async () => {
  let purged = 0;
  const run = await runOverKill(
    {},
    async () => {
      const { purgeImages } = await server.ask<{ purgeImages: { run: { id: string } } }>(
        PurgeImagesDocument,
        {
          input: { filter: { status: ['SUCCESS', 'FAILED'] } },
        },
      );
      return purgeImages.run.id;
    },
    async (db) => {
      purged = await count(db, 'tombstones');
      expect(purged).toBeGreaterThan(0);
    },
  );
  expect(purged, 'it was killed before its end').toBeLessThan(run.total ?? 0);
  expect(run.checked).toBe(run.total);
  // An image with a part that is being generated is refused.
  expect(run.changed + run.failed).toBe(run.total);
  await server.stop();
  await server.withDatabase(async ({ database: db }) => {
    expect(
      await count(db, `maintenance_items i JOIN tombstones t ON t.uuid = i.uuid WHERE i.outcome = 'CHANGED'`),
    ).toBe(run.changed);
    expect(
      await count(
        db,
        `maintenance_items i JOIN generated_images g ON g.id = i.image_id WHERE i.outcome = 'CHANGED'`,
      ),
    ).toBe(0);
  });
}, 120_000);
