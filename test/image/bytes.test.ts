import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { AWAY_SECONDS, makeImageBytesFinder, REMEMBER_SECONDS } from '../../src/image/bytes.ts';

const UUID = (n: number) => `01a1fd86-32a5-704a-8823-${String(n).padStart(12, '0')}`;

/**
 * A database that answers when it is told to, and lets the test tell of changes.
 * @param options.visibility null: there is no such image.
 */
function stand(options: { entries?: number; visibility?: string | null } = {}) {
  const statements: { keys: string[]; answer: () => void; fail: () => void }[] = [];
  const channels = new Map<string, { tell(payload: string): void; gap(): void; lose(): void }>();
  let now = 1_000_000;
  let answersAtOnce = true;
  const database = {
    isAway: false,
    query: (_text: string, values: readonly unknown[] = []) =>
      new Promise<never[]>((resolve, reject) => {
        const keys = options.visibility === null ? [] : (values[0] as string[]);
        const rows = keys.map((uuid) => ({
          uuid,
          filename: `${uuid}.png`,
          userId: 'u',
          visibility: options.visibility ?? 'public',
          id: Number(uuid.slice(-12)),
          copies: [],
        }));
        const answer = () => resolve(rows as never[]);
        statements.push({ keys, answer, fail: () => reject(new Error('The connection was closed.')) });
        if (answersAtOnce) answer();
      }),
    async listen(
      channel: string,
      tell: (payload: string) => void,
      gap: () => void,
      lose: () => void = () => {},
    ) {
      channels.set(channel, { tell, gap, lose });
      gap();
      return { close: async () => {} };
    },
  };
  const finder = makeImageBytesFinder(database as never, {
    entries: options.entries ?? 10,
    log: pino({ level: 'silent' }),
    now: () => now,
  });
  return {
    finder,
    database,
    statements,
    images: () =>
      channels.get('fixative_images') as never as { tell(payload: string): void; gap(): void; lose(): void },
    copies: () => channels.get('fixative_copies') as never as { tell(payload: string): void },
    pass: (seconds: number) => {
      now += seconds * 1000;
    },
    hold: () => {
      answersAtOnce = false;
    },
    /** Fails the last statement. */
    fail: () => statements.at(-1)?.fail(),
  };
}

describe('images whose bytes are asked for', () => {
  test('are remembered for a while, and no more of them than so many', async () => {
    const { finder, pass } = stand({ entries: 3 });
    for (const n of [1, 2, 3, 4]) await finder.find({ uuid: UUID(n) });
    expect([1, 2, 3, 4].map((n) => finder.recall({ uuid: UUID(n) }) !== null)).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(finder.recall({ filename: `${UUID(4)}.png` })?.uuid).toBe(UUID(4));
    pass(REMEMBER_SECONDS + 1);
    expect(finder.recall({ uuid: UUID(4) })).toBeNull();
  });

  test('are looked up together when they are asked for together', async () => {
    const { finder, statements } = stand();
    await Promise.all([1, 2, 3, 4, 5].map((n) => finder.find({ uuid: UUID(n) })));
    expect(statements.map(({ keys }) => keys.length)).toEqual([5]);
  });

  test('are forgotten when a change of them, of their copies, or of some is told', async () => {
    const { finder, images, copies } = stand();
    for (const change of [
      () => images().tell(UUID(1)),
      () => copies().tell('1'),
      () => images().tell(''),
      () => images().gap(),
      () => finder.forget([UUID(1)]),
      () => finder.forget(null),
      () => finder.forgetBlob(1),
    ]) {
      await finder.find({ uuid: UUID(1) });
      expect(finder.recall({ uuid: UUID(1) }), String(change)).not.toBeNull();
      change();
      expect(finder.recall({ uuid: UUID(1) }), String(change)).toBeNull();
    }
    await finder.find({ uuid: UUID(1) });
    images().tell(UUID(2));
    copies().tell('2');
    expect(finder.recall({ uuid: UUID(1) })).not.toBeNull();
  });

  test('are not remembered when a change is told while the statement is under way', async () => {
    for (const [change, stays] of [
      [({ images }) => images().tell(UUID(1)), false],
      [({ copies }) => copies().tell('1'), false],
      [({ finder }) => finder.forget(null), false],
      [({ images }) => images().tell(UUID(2)), true],
    ] as [(standing: ReturnType<typeof stand>) => void, boolean][]) {
      const standing = stand();
      const { finder, statements, hold } = standing;
      await finder.find({ uuid: UUID(9) });
      hold();
      const found = finder.find({ uuid: UUID(1) });
      await expect.poll(() => statements.length).toBe(2);
      change(standing);
      statements[1]?.answer();
      expect((await found)?.uuid).toBe(UUID(1));
      expect(finder.recall({ uuid: UUID(1) }) !== null, String(change)).toBe(stays);
    }
  });

  test('are not remembered while nothing is heard of changes', async () => {
    const { finder, images } = stand();
    await finder.find({ uuid: UUID(1) });
    images().lose();
    expect(finder.recall({ uuid: UUID(1) })).toBeNull();
    await finder.find({ uuid: UUID(1) });
    expect(finder.recall({ uuid: UUID(1) })).toBeNull();
    images().gap();
    await finder.find({ uuid: UUID(1) });
    expect(finder.recall({ uuid: UUID(1) })).not.toBeNull();
  });

  test('are given from what was remembered while the database is away, for a while', async () => {
    const { finder, database, images, pass } = stand();
    await finder.find({ uuid: UUID(1) });
    await finder.find({ uuid: UUID(2) });
    // The connection is lost before it is known why.
    images().lose();
    expect(finder.recall({ uuid: UUID(1) })).toBeNull();
    database.isAway = true;
    expect(finder.recall({ uuid: UUID(1) })).not.toBeNull();
    finder.forget([UUID(2)]);
    expect(finder.recall({ uuid: UUID(2) })).toBeNull();
    pass(AWAY_SECONDS - 1);
    expect(finder.recall({ uuid: UUID(1) })).not.toBeNull();
    pass(2);
    expect(finder.recall({ uuid: UUID(1) })).toBeNull();
    database.isAway = false;
    images().gap();
    expect(finder.recall({ uuid: UUID(1) })).toBeNull();
  });

  test('are given while the database is away also when their time was over as it went', async () => {
    const { finder, database, images, pass, hold, fail } = stand();
    await finder.find({ uuid: UUID(1) });
    pass(REMEMBER_SECONDS + 1);
    hold();
    const asked = finder.find({ uuid: UUID(1) });
    await new Promise((resolve) => setImmediate(resolve));
    images().lose();
    database.isAway = true;
    fail();
    expect(await asked).toMatchObject({ uuid: UUID(1) });
    expect(await finder.find({ uuid: UUID(1) })).toMatchObject({ uuid: UUID(1) });
  });

  test('are not given from what was remembered once they were found to be private or gone', async () => {
    for (const now of [{ visibility: 'private' }, { visibility: null }]) {
      const options: { visibility: string | null } = { visibility: 'public' };
      const { finder, database, images, pass } = stand(options);
      await finder.find({ uuid: UUID(1) });
      pass(REMEMBER_SECONDS + 1);
      Object.assign(options, now);
      await finder.find({ uuid: UUID(1) });
      images().lose();
      database.isAway = true;
      expect(finder.recall({ uuid: UUID(1) })).toBeNull();
    }
  });

  test('are not remembered when they are private, or when none is to be', async () => {
    for (const options of [{ visibility: 'private' }, { visibility: 'PUBLIC' }, { entries: 0 }]) {
      const { finder } = stand(options);
      await finder.find({ uuid: UUID(1) });
      expect(finder.recall({ uuid: UUID(1) })).toBeNull();
    }
  });
});
