/** The command `retention`, by the functions that it runs, and once as a process. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  runDeleteRetention,
  runListRetention,
  runPreviewRetention,
  runRetention,
  runSetRetention,
  type SetRetentionCommand,
} from '../../src/command/retention.ts';
import { MAIN } from '../crash/server.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { insertImages } from '../retention/model.ts';

let app: TestApp;
let said = { out: '', note: '' };
const terminal = {
  interactive: false,
  out: (text: string) => {
    said.out += text;
  },
  note: (text: string) => {
    said.note += text;
  },
};
beforeAll(async () => {
  app = await openTestApp();
  await insertImages(app.database, 400);
}, 60_000);
afterAll(() => app.close());

async function hear(work: Promise<number>) {
  said = { out: '', note: '' };
  const code = await work;
  return { code, ...said };
}
const set = (name: string, options: Partial<SetRetentionCommand>) =>
  hear(runSetRetention(app, name, { json: false, ...options }, terminal));

test('sets, lists, previews, runs and deletes policies', async () => {
  expect(await hear(runListRetention(app, { json: false }, terminal))).toMatchObject({
    code: 0,
    note: 'There are no retention policies.\n',
  });
  expect(await set('drafts', { maxAgeDays: '30', images: '{"tags":["draft"]}' })).toMatchObject({
    code: 0,
    out: 'Policy drafts is created: older than 30 days.\n',
  });
  expect(await set('drafts', { maxCount: '20', per: 'user', disable: true })).toMatchObject({
    out: 'Policy drafts is changed: older than 30 days; beyond 20 images, oldest first (per user).\n',
  });
  expect((await set('drafts', { maxCount: 'none', per: 'all' })).out).toContain('older than 30 days.');
  await expect(set('drafts', { maxAgeDays: 'soon' })).rejects.toThrow(/maxAgeDays/);
  await expect(set('drafts', { images: '{' })).rejects.toThrow('--images is not valid JSON.');
  const { out: list } = await hear(runListRetention(app, { json: false }, terminal));
  expect(list).toMatch(/^drafts +disabled +database +older than 30 days +\{"tags":\["draft"\]\}$/m);

  const preview = await hear(runPreviewRetention(app, 'drafts', { first: 2, json: false }, terminal));
  expect(preview.code).toBe(3);
  expect(preview.note).toMatch(/maxShare allows 20 %/);
  const [, going] = /^drafts: (\d+) of \d+ images/.exec(preview.out) ?? [];
  expect(preview.out.match(/^ {2}\d+: older than 30 days$/gm)).toHaveLength(2);
  expect(
    await hear(runRetention(app, { name: 'drafts', maxShare: null, json: false }, terminal)),
  ).toMatchObject({
    code: 3,
    out: '',
  });
  const run = await hear(runRetention(app, { name: 'drafts', maxShare: 1, json: false }, terminal));
  expect(run).toMatchObject({ code: 0, out: expect.stringContaining(`${going} images are in the trash`) });
  await expect(hear(runRetention(app, { name: null, maxShare: 1, json: false }, terminal))).rejects.toThrow(
    /No retention policy is enabled/,
  );
  expect((await hear(runDeleteRetention(app, 'drafts', terminal))).code).toBe(0);
  await expect(hear(runDeleteRetention(app, 'drafts', terminal))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
}, 60_000);

test('has a help for each of its verbs', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'retention', '--help']);
  for (const verb of ['list', 'set', 'delete', 'preview', 'run'])
    expect(stdout).toMatch(new RegExp(`^ +${verb}\\b`, 'm'));
}, 20_000);
