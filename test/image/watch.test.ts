import { expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { watchImages } from '../../src/image/events/watch.ts';

/** Queries of a subscription after two events: one names the changed image, one says that some changed. */
test.each([
  ['first of some, then of one', (hear: (uuid: string | null) => void) => [hear(null), hear(UUID)]],
  ['first of one, then of some', (hear: (uuid: string | null) => void) => [hear(UUID), hear(null)]],
])('hearing %s, it looks for all that has changed', async (_name, tell) => {
  const asked: string[] = [];
  let hear: (uuid: string | null) => void = () => {};
  const database = {
    query: async (sql: string) => {
      asked.push(/updated_at/.test(sql) && /looked/.test(sql) ? 'since' : 'named');
      return [];
    },
  } as unknown as Database;
  const watched = watchImages(
    {
      database,
      imageEvents: {
        watch: async (onChange: typeof hear) => {
          hear = onChange;
          return () => {};
        },
      } as never,
    },
    {},
  );
  const next = watched.next();
  await new Promise((resolve) => setImmediate(resolve));
  tell(hear);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(asked.sort()).toEqual(['named', 'since']);
  asked.length = 0;
  hear(UUID);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(asked).toEqual(['named']);
  await watched.return?.();
  await next;
});

const UUID = '00000000-0000-7000-8000-000000000001';
