/** The command `images`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ImagesCommand, runImages } from '../../src/command/images.ts';
import type { BulkChange } from '../../src/image/bulk/change.ts';
import { runCommand } from '../crash/server.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { insertImages } from '../retention/model.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
  await insertImages(app.database, 200);
}, 60_000);
afterAll(() => app.close());

async function run(change: BulkChange, command: Partial<ImagesCommand>) {
  const out: string[] = [];
  const terminal = { interactive: false, note: () => {}, out: (text: string) => void out.push(text) };
  const code = await runImages(
    app.services,
    change,
    { ids: [], dryRun: false, json: false, ...command },
    terminal,
  );
  return { code, out: out.join('') };
}

test('changes the images of ids and of a filter', async () => {
  const [first, second] = await app.database.query<{ uuid: string }>(
    `SELECT uuid::text FROM generated_images WHERE deleted_at IS NULL AND part_of IS NULL ORDER BY id LIMIT 2`,
  );
  const ids = [first?.uuid ?? '', second?.uuid ?? ''];
  const pin = { verb: 'UPDATE', changes: { pinned: true, addTags: ['by-command'] } } as const;
  expect(await run(pin, { ids, dryRun: true })).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^2 would be changed/),
  });
  expect(await run(pin, { ids })).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^2 changed, 0 were so/),
  });
  expect((await run(pin, { ids })).out).toMatch(/^0 changed, 2 were so already/);
  const { out } = await run({ verb: 'DELETE' }, { filter: { tags: ['by-command'] }, json: true });
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    ...ids.map((uuid) => ({ uuid, outcome: 'CHANGED', error: null })),
    { type: 'summary', dryRun: false, changed: 2, unchanged: 0, skipped: 0, failed: 0 },
  ]);
  const failed = await run(pin, { ids });
  expect(failed.code).toBe(3);
  expect(failed.out).toContain(`failed  ${ids[0]}: Image ${ids[0]} is in the trash.`);
  await expect(run({ verb: 'PURGE' }, { ids: [...ids, 'x'] })).rejects.toThrow('There is no image "x"');
  await expect(run({ verb: 'PURGE' }, {})).rejects.toThrow('Name the images');
  await expect(run({ verb: 'PURGE' }, { filter: {} })).rejects.toThrow('trash: ONLY');
});

test('as a process, with wrong values', async () => {
  const environment = { DATA_DIR: app.directory };
  for (const [args, said] of [
    [['update', '--metadata', '{'], 'It is not valid JSON'],
    [['update', '--visibility', 'some'], 'Allowed choices are public, private'],
    [['delete', '--filter', '{"tag":1}'], 'The filter is not an ImageFilter'],
  ] as const) {
    const { code, log } = await runCommand(['images', ...args], environment);
    expect([code, log]).toEqual([2, expect.stringContaining(said)]);
  }
});
