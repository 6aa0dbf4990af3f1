import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../src/errors.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

interface StoreAnswer {
  readonly name: string;
  readonly reachable: boolean;
  readonly error: string | null;
  readonly copies: number;
  readonly recent: number;
  readonly all: number;
  readonly neverVerified: number;
  readonly oldestVerifiedAt: string | null;
}

let app: TestApp;
let seed = 93_000;
const keep = async () => upload(app, { content: await makePicture({ seed: seed++ }) });

async function ask(fields: string, variables: object = {}): Promise<StoreAnswer[]> {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: fields, variables }),
  });
  const { data, errors } = (await response.json()) as { data: { stores: StoreAnswer[] }; errors?: unknown };
  expect(errors).toBeUndefined();
  return data.stores;
}

describe('the stores', () => {
  beforeEach(async () => {
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
  });
  afterEach(() => app.close());

  test('say when their healthy copies were verified', async () => {
    const query = `query ($recent: DateTime!, $all: DateTime!) { stores {
      name copies neverVerified oldestVerifiedAt
      recent: verifiedSince(time: $recent) all: verifiedSince(time: $all) } }`;
    const variables = { recent: '2026-06-01T00:00:00Z', all: '2020-01-01T00:00:00Z' };
    const empty = { copies: 0, neverVerified: 0, oldestVerifiedAt: null, recent: 0, all: 0 };
    expect(await ask(query, variables)).toMatchObject([empty, empty]);

    for (let i = 0; i < 4; i++) await keep();
    const set = (id: number, time: string | null, state = 'STORED') =>
      app.database.query(
        `UPDATE copies SET verified_at = $2::timestamptz, state = $3
         WHERE store = 'filesystem' AND blob_id = (SELECT id FROM blobs ORDER BY id OFFSET $1 LIMIT 1)`,
        [id, time, state],
      );
    await set(0, '2026-05-31T23:59:59Z');
    await set(1, '2026-06-01T00:00:00Z');
    await set(2, null);
    // Longest ago, and not healthy: it counts nowhere.
    await set(3, '2021-01-01T00:00:00Z', 'MISSING');
    const [filesystem, database] = await ask(query, variables);
    expect(filesystem).toEqual({
      name: 'filesystem',
      copies: 3,
      neverVerified: 1,
      oldestVerifiedAt: '2026-05-31T23:59:59.000Z',
      recent: 1,
      all: 2,
    });
    expect(database).toMatchObject({ copies: 4, neverVerified: 0, all: 4 });
  });

  test('send no statement for what was not selected, and one for a field of all stores', async () => {
    const { query } = app.database;
    const sent: string[] = [];
    const spied = app.services.database as { query: typeof query };
    spied.query = (text, values, options) => {
      sent.push(text);
      return query(text, values, options);
    };
    try {
      await ask('{ stores { name copies reachable } }');
      expect(sent.filter((text) => text.includes('verified_at IS NULL'))).toEqual([]);
      await ask('{ stores { neverVerified oldestVerifiedAt } }');
      expect(sent.filter((text) => text.includes('verified_at IS NULL'))).toHaveLength(1);
    } finally {
      spied.query = query;
    }
  });

  test('say why one is not reachable', async () => {
    const root = path.join(app.directory, 'images');
    await keep();
    await rename(root, `${root}-disk`);
    await mkdir(root);
    const [filesystem, database] = await ask('{ stores { name reachable error } }');
    expect(filesystem).toMatchObject({
      reachable: false,
      error: expect.stringContaining('claim filesystem'),
    });
    expect(database).toMatchObject({ reachable: true, error: null });
    await rm(root, { recursive: true });
    await rename(`${root}-disk`, root);
    expect(await ask('{ stores { name reachable error } }')).toMatchObject([
      { reachable: true, error: null },
      { reachable: true, error: null },
    ]);
  });
});

test('a store that is read and takes no writes says why', async () => {
  let full = true;
  app = await openTestApp(
    {},
    {
      required: ['first'],
      stores: async () => {
        const second = makeMemoryStore('second');
        return [
          makeMemoryStore('first'),
          {
            ...second,
            kind: 'memory',
            name: 'second',
            maxBytes: second.maxBytes,
            put: async (key, source) => {
              if (full) throw new StoreError('second is full.', 'second');
              return second.put(key, source);
            },
          },
        ];
      },
    },
  );
  try {
    app.storage.startRepairs();
    await keep();
    await expect
      .poll(() => ask('{ stores { name reachable error } }'), { timeout: 20_000 })
      .toMatchObject([
        { name: 'first', reachable: true, error: null },
        { name: 'second', reachable: true, error: 'second is full.' },
      ]);
    full = false;
  } finally {
    await app.close();
  }
});
