/** Policies, previews and runs of retention over the API. RETENTION_IMAGES=10000 takes about a minute. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { executeRun } from '../../src/image/maintenance/execute.ts';
import { replaceFilePolicies } from '../../src/image/retention/policy.ts';
import { readPolicyFile } from '../../src/image/retention/policy-file.ts';
import { startRetention } from '../../src/image/retention/retention.ts';
import { parseRule, type RetentionRule } from '../../src/image/retention/rule.ts';
import { makeMaintenanceWorks } from '../../src/job/maintenance-works.ts';
import { startScheduledRetention } from '../../src/job/retention.ts';
import {
  CreateRetentionPolicyDocument,
  DeleteRetentionPolicyDocument,
  ImagePageDocument,
  PreviewRetentionDocument,
  RetentionPoliciesDocument,
  type RetentionRuleInput,
  type RetentionRunFragment,
  RetentionRunsDocument,
  RunRetentionDocument,
  UpdateImageDocument,
  UpdateRetentionPolicyDocument,
} from '../generated/graphql.ts';
import { allEvents } from '../graphql/maintenance-runs.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { insertImages, readImages, selectInMemory } from './model.ts';

const IMAGES = Number(process.env.RETENTION_IMAGES ?? 800);

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp({ RATE_LIMIT_PER_MINUTE: '0' });
}, 60_000);
afterAll(() => app.close());

/** Begins a test with the same images: none pinned or in the trash by an earlier test. */
async function refill(count: number): Promise<void> {
  await app.database.query('TRUNCATE generated_images RESTART IDENTITY CASCADE');
  await app.database.query(`DELETE FROM retention_policies`);
  await insertImages(app.database, count);
}

const preview = async (rule: RetentionRuleInput, first = 20) =>
  (await app.ask(PreviewRetentionDocument, { rule, first })).previewRetention;
const create = async (name: string, rule: RetentionRuleInput, enabled = true) => {
  const { createRetentionPolicy } = await app.ask(CreateRetentionPolicyDocument, {
    input: { name, enabled, ...rule },
  });
  expect(createRetentionPolicy.userErrors).toEqual([]);
};
const start = async (name: string | null, maxShare: number | null = null) =>
  (await app.ask(RunRetentionDocument, { input: { name, maxShare } })).runRetention;

/** Starts a run and follows it to its end. */
async function runToEnd(name: string | null, maxShare: number | null = 1): Promise<RetentionRunFragment> {
  const { run, userErrors } = await start(name, maxShare);
  expect(userErrors).toEqual([]);
  await allEvents(app, run?.id ?? '');
  const { maintenanceRuns } = await app.ask(RetentionRunsDocument, {});
  return maintenanceRuns.find(({ id }) => id === run?.id) as RetentionRunFragment;
}

const trashed = async () =>
  (
    await app.database.query<{ id: number }>(
      `SELECT id FROM generated_images WHERE deleted_at IS NOT NULL AND part_of IS NULL ORDER BY id`,
    )
  ).map(({ id }) => id);

/** Returns the rule with the values of enums as they are in the database. */
function asStored({ images, ...rule }: RetentionRuleInput): RetentionRule {
  const lower = (value: unknown) => JSON.parse(JSON.stringify(value).toLowerCase());
  const filter = images && {
    ...images,
    ...(images.status ? { status: lower(images.status) } : {}),
    ...(images.origin ? { origin: lower(images.origin) } : {}),
  };
  return parseRule({ ...rule, images: filter }, 'The rule');
}

const RULES: readonly (readonly [string, RetentionRuleInput])[] = [
  ['age', { maxAgeDays: 30 }],
  ['age since the last update', { maxAgeDays: 20, ageOf: 'UPDATED' }],
  ['bytes of all', { maxBytes: IMAGES * 100 }],
  ['bytes of each user', { maxBytes: IMAGES * 20, per: 'USER' }],
  ['bytes of each tool', { maxBytes: IMAGES * 40, per: 'TOOL' }],
  ['count', { maxCount: IMAGES / 10 }],
  ['count of each user', { maxCount: IMAGES / 20, per: 'USER', keepNewest: Math.ceil(IMAGES / 18) }],
  ['tool', { maxAgeDays: 10, images: { tool: 'tool-1' } }],
  ['tag', { maxAgeDays: 10, images: { tags: ['draft'] } }],
  ['user', { maxCount: IMAGES / 100, images: { userId: 'user-3' } }],
  ['failed attempts', { maxAgeDays: 1, images: { status: ['FAILED'] } }],
  ['origin', { maxAgeDays: 10, images: { origin: 'IMPORTED' } }],
];

describe(`${IMAGES} images`, () => {
  beforeEach(() => refill(IMAGES), 60_000);

  test.each(RULES)(
    'a policy by %s puts into the trash what its preview says',
    async (name, rule) => {
      const before = new Set(await trashed());
      const images = await readImages(app.database);
      await create('policy', rule);
      const begun = performance.now();
      const foretold = await preview(rule);
      const previewed = performance.now();
      const run = await runToEnd('policy');
      const ended = performance.now();
      expect(run).toMatchObject({
        kind: 'RETENTION',
        state: 'COMPLETED',
        total: foretold.images,
        checked: foretold.images,
        changed: foretold.images,
        skipped: 0,
        bytes: foretold.bytes,
        retention: {
          policies: [
            {
              name: 'policy',
              scopeImages: foretold.scopeImages,
              images: foretold.images,
              bytes: foretold.bytes,
              reasons: foretold.reasons,
              stop: null,
            },
          ],
        },
      });
      const gone = (await trashed()).filter((id) => !before.has(id));
      const model = selectInMemory(images, asStored(rule), new Date());
      expect(gone).toEqual(model.filter(({ reason }) => reason !== null).map(({ id }) => id));
      expect(gone.length, 'so that the test shows something').toBeGreaterThan(30);
      expect(foretold.sample).toHaveLength(20);
      if (process.env.RETENTION_FIGURES)
        process.stdout.write(
          `${name}: ${foretold.images} of ${foretold.scopeImages}, preview ${Math.round(previewed - begun)} ms, run ${Math.round(ended - previewed)} ms\n`,
        );
    },
    60_000,
  );
});

describe('a run', () => {
  beforeEach(() => refill(600), 60_000);

  /** Executes a run in this test, until `stop`. */
  const execute = (id: string, stop: AbortController, onBatch = () => {}) =>
    executeRun(
      {
        database: app.database,
        storage: app.storage,
        log: pino({ level: 'silent' }),
        imageBytes: { ...app.services.imageBytes, forget: onBatch },
      },
      makeMaintenanceWorks({ retentionMaxShare: 1 }),
      id,
      stop.signal,
    );

  test('that is interrupted continues, and leaves images that were changed meanwhile', async () => {
    const rule = { maxAgeDays: 20, images: { tags: ['draft'] } };
    await create('drafts', rule);
    const images = await readImages(app.database);
    const selected = selectInMemory(images, asStored(rule), new Date()).filter(
      ({ reason }) => reason !== null,
    );
    expect(selected.length).toBeGreaterThan(100);
    const { id } = await startRetention(
      { ...app, retentionMaxShare: 1 },
      { name: 'drafts', maxShare: null, startedBy: 'root' },
    );
    const stop = new AbortController();
    await expect(execute(id, stop, () => stop.abort())).rejects.toMatchObject({ code: 'INTERRUPTED' });
    const [between] = (await app.ask(RetentionRunsDocument, {})).maintenanceRuns;
    expect(between).toMatchObject({ state: 'PENDING', checked: 100, changed: 100, total: selected.length });

    const [pinned, untagged, deleted, again, purged] = selected.slice(100).map((each) => each.id);
    const change = (set: string, of: number | undefined) =>
      app.database.query(`UPDATE generated_images SET ${set} WHERE id = $1`, [of]);
    const [row] = await app.database.query<{ uuid: string }>(
      'SELECT uuid FROM generated_images WHERE id = $1',
      [pinned],
    );
    const { updateImage } = await app.ask(UpdateImageDocument, {
      input: { id: row?.uuid ?? '', pinned: true },
    });
    expect(updateImage.userErrors).toEqual([]);
    const filter = { pinned: true, tags: ['draft'] };
    const { images: found } = await app.ask(ImagePageDocument, { filter, first: 100 });
    expect(found.edges.map(({ node }) => node.id)).toContain(updateImage.image?.id);
    expect(found.edges.length).toBe(
      images.filter(
        (each) => each.pinned && !each.deleted && each.partOf === null && each.tags.includes('draft'),
      ).length + 1,
    );
    await change(`tags = '{}'`, untagged);
    await change(`deleted_at = '2020-01-01'`, deleted);
    await change(`status = 'processing'`, again);
    await app.database.query(`UPDATE generated_images SET part_of = NULL, part = NULL WHERE part_of = $1`, [
      purged,
    ]);
    await app.database.query('DELETE FROM generated_images WHERE id = $1', [purged]);
    const [added] = await app.database.query<{ id: number }>(
      `INSERT INTO generated_images (user_id, prompt, tags, created_at) VALUES ('user-1', 'new', '{draft}', '2020-01-01') RETURNING id`,
    );

    await execute(id, new AbortController());
    const [ended] = (await app.ask(RetentionRunsDocument, {})).maintenanceRuns;
    expect(ended).toMatchObject({
      state: 'COMPLETED',
      total: selected.length,
      checked: selected.length,
      changed: selected.length - 5,
      skipped: 5,
    });
    const gone = new Set(await trashed());
    for (const id of [pinned, untagged, again, added?.id]) expect(gone.has(id ?? 0)).toBe(false);
    for (const { id } of selected.slice(105)) expect(gone.has(id)).toBe(true);
    const [kept] = await app.database.query<{ at: Date }>(
      'SELECT deleted_at AS at FROM generated_images WHERE id = $1',
      [deleted],
    );
    expect(kept?.at.toISOString(), 'an image in the trash keeps its time').toBe('2020-01-01T00:00:00.000Z');
  }, 60_000);

  test('does not begin when it would take more than its share', async () => {
    await create('most', { maxAgeDays: 1 });
    expect((await preview({ maxAgeDays: 1 })).stop).toMatch(/maxShare allows 20 %/);
    const refused = await start('most');
    expect(refused).toMatchObject({
      run: null,
      userErrors: [
        { code: 'STOPPED', path: ['input', 'maxShare'], message: expect.stringContaining('larger maxShare') },
      ],
    });
    const before = (await trashed()).length;
    // A run of all policies runs those that keep to their share, and says which did not begin.
    await create('failed', { maxAgeDays: 1, images: { status: ['FAILED'] }, maxShare: 1 });
    const run = await runToEnd(null, null);
    expect(run).toMatchObject({
      state: 'STOPPED',
      errorCode: 'STOPPED',
      error: expect.stringContaining('"most"'),
    });
    expect(run.retention?.policies.map(({ name, stop }) => [name, stop === null])).toEqual([
      ['failed', true],
      ['most', false],
    ]);
    expect((await trashed()).length - before).toBe(run.changed);
    const all = await runToEnd('most', 1);
    expect(all).toMatchObject({ state: 'COMPLETED', skipped: 0 });
    expect(all.changed).toBeGreaterThan(100);
  }, 60_000);

  test('starts by the schedule with the enabled policies only', async () => {
    const deps = {
      ...app,
      maintenanceQueue: app.services.maintenanceQueue,
      retentionMaxShare: 1,
      log: pino({ level: 'silent' }),
    };
    const before = (await app.ask(RetentionRunsDocument, {})).maintenanceRuns[0]?.id;
    await startScheduledRetention(deps);
    await create('off', { maxAgeDays: 1 }, false);
    await startScheduledRetention(deps);
    expect((await app.ask(RetentionRunsDocument, {})).maintenanceRuns[0]?.id).toBe(before);
    await create('on', { maxAgeDays: 50, maxShare: 1 });
    await startScheduledRetention(deps);
    const [run] = (await app.ask(RetentionRunsDocument, {})).maintenanceRuns;
    await allEvents(app, run?.id ?? '');
    const [ended] = (await app.ask(RetentionRunsDocument, {})).maintenanceRuns;
    expect(ended).toMatchObject({ startedBy: 'schedule', state: 'COMPLETED' });
    expect(ended?.retention?.policies.map(({ name }) => name)).toEqual(['on']);
  }, 60_000);
});

describe('policies', () => {
  beforeEach(() => refill(10));
  const names = async () =>
    (await app.ask(RetentionPoliciesDocument, {})).retentionPolicies.map(
      ({ name, source }) => `${name} ${source}`,
    );

  test('are created, changed and deleted', async () => {
    await create('old', {
      maxAgeDays: 30,
      images: { tool: 'chart', status: ['FAILED'], createdBefore: '2026-01-01T00:00:00.000Z' },
    });
    const [policy] = (await app.ask(RetentionPoliciesDocument, {})).retentionPolicies;
    expect(policy).toMatchObject({
      name: 'old',
      enabled: true,
      source: 'DATABASE',
      maxAgeDays: 30,
      ageOf: 'CREATED',
      per: 'ALL',
      maxCount: null,
      images: { tool: 'chart', status: ['FAILED'], createdBefore: '2026-01-01T00:00:00.000Z' },
    });
    const update = async (input: object) =>
      (await app.ask(UpdateRetentionPolicyDocument, { input: { name: 'old', ...input } }))
        .updateRetentionPolicy;
    expect(await update({ maxCount: 5, per: 'USER', maxAgeDays: null })).toMatchObject({
      policy: { maxCount: 5, per: 'USER', maxAgeDays: null, enabled: true, images: { tool: 'chart' } },
      userErrors: [],
    });
    expect(await update({ maxCount: null })).toMatchObject({
      policy: null,
      userErrors: [{ code: 'INVALID_INPUT' }],
    });
    expect(await update({ enabled: false, maxBytes: 9_000_000_000 })).toMatchObject({
      policy: { enabled: false, maxBytes: 9_000_000_000, maxCount: 5 },
    });
    const again = await app.ask(CreateRetentionPolicyDocument, { input: { name: 'old', maxCount: 1 } });
    expect(again.createRetentionPolicy.userErrors).toMatchObject([
      { code: 'CONFLICT', path: ['input', 'name'] },
    ]);
    const remove = async () =>
      (await app.ask(DeleteRetentionPolicyDocument, { input: { name: 'old' } })).deleteRetentionPolicy
        .userErrors;
    expect(await remove()).toEqual([]);
    expect(await remove()).toMatchObject([{ code: 'NOT_FOUND' }]);
    expect(await names()).toEqual([]);
  });

  test.each([
    [{ maxAgeDays: 0 }, /maxAgeDays/],
    [{ maxCount: -1 }, /maxCount/],
    [{ maxCount: 1, maxShare: 2 }, /maxShare/],
    [{}, /has no limit/],
    [{ maxCount: 1, images: { trash: 'ONLY' } }, /trash/],
    [{ maxCount: 1, images: { parts: true } }, /parts/],
    [{ maxCount: 1, images: { status: ['PENDING'] } }, /pending/],
    [{ maxCount: 1, images: { sha256: 'x' } }, /SHA-256/],
  ])('are refused with the field at fault: %j', async (rule, message) => {
    const { createRetentionPolicy } = await app.ask(CreateRetentionPolicyDocument, {
      input: { name: 'bad', ...(rule as object) },
    });
    expect(createRetentionPolicy.policy).toBeNull();
    expect(createRetentionPolicy.userErrors).toMatchObject([
      { code: 'INVALID_INPUT', message: expect.stringMatching(message) },
    ]);
  });

  test('are read from a file, are read-only then, and vanish with it', async () => {
    const file = path.join(app.directory, 'retention.json');
    const write = async (content: unknown) => {
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
      await replaceFilePolicies(app, await readPolicyFile(file));
    };
    await create('mine', { maxCount: 5 });
    await write({
      policies: [
        { name: 'drafts', maxAgeDays: 30, images: { tags: ['draft'] } },
        { name: 'b', maxCount: 1, enabled: false },
      ],
    });
    expect(await names()).toEqual(['b FILE', 'drafts FILE', 'mine DATABASE']);
    const changed = await app.ask(UpdateRetentionPolicyDocument, { input: { name: 'drafts', maxCount: 1 } });
    expect(changed.updateRetentionPolicy.userErrors).toMatchObject([
      { code: 'CONFLICT', message: expect.stringContaining('RETENTION_FILE') },
    ]);
    await write({ policies: [{ name: 'drafts', maxAgeDays: 31 }] });
    expect(await names()).toEqual(['drafts FILE', 'mine DATABASE']);
    for (const [content, message] of [
      ['{', /not valid JSON/],
      [{}, /policies/],
      [{ policies: [{ name: 'x' }] }, /Policy "x" has no limit/],
      [{ policies: [{ name: 'x', maxCount: 1, maxAge: 3 }] }, /maxAge/],
      [{ policies: [{ name: 'x', maxCount: 1, images: { nonsense: 1 } }] }, /nonsense/],
      [
        {
          policies: [
            { name: 'x', maxCount: 1 },
            { name: 'x', maxCount: 2 },
          ],
        },
        /twice/,
      ],
      [{ policies: [{ name: 'mine', maxCount: 1 }] }, /made by a client/],
    ] as const)
      await expect(write(content), String(message)).rejects.toThrow(message);
    await expect(readPolicyFile('/nowhere/retention.json')).rejects.toThrow(/cannot be read \(ENOENT\)/);
    expect(await names()).toEqual(['drafts FILE', 'mine DATABASE']);
    await replaceFilePolicies(app, []);
    expect(await names()).toEqual(['mine DATABASE']);
  });
});
