import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Ledger } from '../../src/image/generation/ledger.ts';
import { makeOverdue } from '../../src/image/generation/overdue.ts';
import { openProviderResponses } from '../../src/image/generation/provider-responses.ts';
import { shareResponses } from '../../src/image/generation/shared-responses.ts';
import { GenerateImageDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';

describe('a worker, every minute', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterEach(() => vi.useRealTimers());
  afterAll(() => app.close());

  test('discards the responses of purged, cancelled and finished images, and no others', async () => {
    const { generateImage } = await app.ask(GenerateImageDocument, {
      input: { userId: 'u1', prompt: 'a fox', n: 3, size: '64x64' },
    });
    const uuids = generateImage.images.map(({ id }) =>
      Buffer.from(id, 'base64').toString().slice('Image:'.length),
    );
    const [, cancelled, failed] = uuids as [string, string, string];
    const become = (uuid: string, state: string) =>
      app.database.query(
        'UPDATE generations SET state = $2 WHERE image_id = (SELECT id FROM generated_images WHERE uuid = $1)',
        [uuid, state],
      );
    await become(cancelled, 'cancelled');
    await become(failed, 'failed');
    const directory = path.join(app.directory, 'other-answers');
    const answers = shareResponses(await openProviderResponses(directory), app.database);
    for (const uuid of [...uuids, randomUUID()])
      await answers.keep({ uuid, number: 1 }, {}, Buffer.from('picture'));
    // Response to a call that is not the last one of its generation.
    await answers.keep({ uuid: failed, number: 7 }, {}, null);

    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const overdue = makeOverdue({
      database: app.database,
      queue: { push: async () => {} },
      responses: answers,
      ledger: {} as Ledger,
      providerNames: [],
      log: pino({ level: 'silent' }),
    });
    vi.advanceTimersByTime(60_000);
    await eventually(async () => {
      const kept = (await readdir(directory)).filter((name) => !name.startsWith('.'));
      expect(kept).toEqual([`${failed}.1`]);
    });
    overdue.stop();
    await answers.close();
  });
});
