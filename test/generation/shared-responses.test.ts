/** Paid pictures that cannot be stored, when the machine that received them is lost. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StoreError } from '../../src/errors.ts';
import { shareResponses } from '../../src/image/generation/shared-responses.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { AttemptsDocument, GenerateImageDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { type Gate, openGate } from './gate.ts';

describe.runIf(process.env.TEST_DATABASE_URL)('a response of a provider', () => {
  let gate: Gate;
  let one: TestApp;
  let two: TestApp;
  let isAway = false;
  beforeAll(async () => {
    gate = await openGate();
    const memory = makeMemoryStore('shared');
    const flaky: Store = {
      ...memory,
      name: 'shared',
      kind: 'memory',
      maxBytes: memory.maxBytes,
      async put(key, source) {
        if (isAway) throw new StoreError('shared is away.', 'shared');
        return memory.put(key, source);
      },
    };
    const settings = {
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
    };
    const options = { stores: async () => [flaky], required: ['shared'] };
    one = await openTestApp(settings, options);
    two = await openTestApp({ ...settings, DATABASE_URL: one.config.databaseUrl ?? '' }, options);
  }, 60_000);
  afterAll(async () => {
    await two?.close();
    await one?.close();
    await gate?.close();
  });
  const shared = () => one.database.query<{ uuid: string }>('SELECT uuid::text FROM kept_responses');
  const generate = async () => {
    const input = { prompt: 'a fox', userId: 'u1', waitSeconds: 0, n: 3 };
    return (await one.ask(GenerateImageDocument, { input })).generateImage.images.map(({ id }) => id);
  };

  test('is in the database while its store is away, and stored from there when its disk is lost', async () => {
    isAway = true;
    const ids = await generate();
    await eventually(async () => expect(await shared()).toHaveLength(3));
    // Both machines lose what they have on their disks.
    for (const app of [one, two]) {
      const answers = path.join(app.directory, 'answers');
      for (const name of await readdir(answers))
        if (!name.startsWith('.')) await rm(path.join(answers, name));
    }
    isAway = false;
    for (const id of ids)
      await eventually(async () =>
        expect((await two.ask(AttemptsDocument, { id })).image?.status).toBe('SUCCESS'),
      );
    expect(gate.calls, 'each was paid once').toHaveLength(3);
    await eventually(async () => expect(await shared()).toEqual([]));
  }, 120_000);

  test('that is stored at once is never in the database', async () => {
    const before = gate.calls.length;
    for (const id of await generate())
      await eventually(async () =>
        expect((await one.ask(AttemptsDocument, { id })).image?.status).toBe('SUCCESS'),
      );
    expect(gate.calls.length).toBe(before + 3);
    expect(await shared()).toEqual([]);
  });

  test('is deleted from the database when no image will be made of it', async () => {
    await one.database.query(
      `INSERT INTO kept_responses (uuid, call, said, bytes) VALUES (gen_random_uuid(), 1, '{}', 'x')`,
    );
    const none = { find: async () => null, discard: async () => {} };
    await shareResponses(none as never, one.database).sweepShared();
    expect(await shared()).toEqual([]);
  });
});
