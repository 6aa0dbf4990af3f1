import { pino } from 'pino';
import { expect, test } from 'vitest';
import { type BytesKey, makeImageBytesFinder } from '../../src/image/bytes.ts';
import { makeChance } from './chance.ts';

/**
 * Checks the cache of images (image/bytes.ts) against a model of a database, in every order of statements and
 * notifications. A statement is sent, reads the rows at a later moment, and returns at another. A
 * notification arrives some time after its change, in the order of the changes. A request must not get a row
 * that is older than the last notification before it.
 */
const SCHEDULES = 3000;
const IMAGES = 3;
const log = pino({ level: 'silent' });

interface State {
  /** State of the row; null: there is none. */
  readonly version: number | null;
  readonly visibility: string;
  readonly blob: number;
}

interface Statement {
  readonly keys: readonly string[];
  readonly by: 'uuid' | 'filename';
  rows: object[] | null;
  readonly answer: (rows: object[]) => void;
}

const uuidOf = (image: number) => `00000000-0000-7000-8000-00000000000${image}`;
const nameOf = (image: number) => `${image}.png`;
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function run(seed: number): Promise<{ recalled: number }> {
  const chance = makeChance(seed);
  const statements: Statement[] = [];
  const untold: { channel: string; payload: string; image: number; at: number }[] = [];
  const listeners = new Map<string, (payload: string) => void>();
  /** States of an image, latest last. */
  const history: State[][] = Array.from({ length: IMAGES }, () => [
    { version: 0, visibility: 'public', blob: 1 },
  ]);
  /** Oldest state of each image that a request may get now. */
  const told: number[] = Array(IMAGES).fill(0);
  let recalled = 0;

  const finder = makeImageBytesFinder(
    {
      isAway: false,
      query: ((sql: string, [keys]: [string[]]) =>
        new Promise((resolve) => {
          const by = sql.includes('i.uuid = ANY') ? 'uuid' : 'filename';
          statements.push({ keys, by, rows: null, answer: resolve as (rows: object[]) => void });
        })) as never,
      listen: async (channel, onNotification, onGap) => {
        listeners.set(channel, onNotification);
        onGap();
        return { close: async () => {} };
      },
    },
    { entries: chance.oneOf([1, 2, 10]), log },
  );

  function see(statement: Statement): void {
    statement.rows = statement.keys.flatMap((key) => {
      const image = Array.from({ length: IMAGES }, (_, i) => i).find(
        (each) => key === (statement.by === 'uuid' ? uuidOf(each) : nameOf(each)),
      ) as number;
      const state = history[image]?.at(-1) as State;
      if (state.version === null) return [];
      const { version, visibility, blob } = state;
      return [
        {
          uuid: uuidOf(image),
          filename: nameOf(image),
          originalFilename: `${version}`,
          visibility,
          id: blob,
          copies: [],
        },
      ];
    });
  }

  function change(image: number): void {
    const states = history[image] as State[];
    const before = states.at(-1) as State;
    states.push({
      version: chance.of(0.2) ? null : states.length,
      visibility: chance.of(0.15) ? 'private' : 'public',
      blob: chance.of(0.2) ? 1 + chance.below(3) : before.blob,
    });
    const at = states.length - 1;
    // A change by this process evicts the image before it is acknowledged. A change by SQL is notified.
    if (chance.of(0.3)) {
      finder.forget([uuidOf(image)]);
      told[image] = at;
    }
    untold.push({ channel: 'fixative_images', payload: uuidOf(image), image, at });
  }

  function tell(): void {
    const next = untold.shift();
    if (!next) return;
    listeners.get(next.channel)?.(next.payload);
    // Nothing is cached before the process listens, so nothing can be stale.
    told[next.image] = Math.max(told[next.image] ?? 0, next.at);
  }

  const asked: Promise<void>[] = [];
  function ask(): void {
    const image = chance.below(IMAGES);
    const key: BytesKey = chance.of(0.6) ? { uuid: uuidOf(image) } : { filename: nameOf(image) };
    const oldest = told[image] ?? 0;
    const check = (version: number | null) => {
      const possible = (history[image] as State[]).slice(oldest).map((state) => state.version);
      expect(possible, `seed ${seed}: ${JSON.stringify(key)}`).toContain(version);
    };
    const now = finder.recall(key);
    if (now) {
      recalled++;
      check(Number(now.originalFilename));
      return;
    }
    asked.push(finder.find(key).then((found) => check(found ? Number(found.originalFilename) : null)));
  }

  function answerOne(): void {
    const [statement] = statements.splice(chance.below(statements.length), 1);
    if (!statement) return;
    if (!statement.rows) see(statement);
    statement.answer(statement.rows ?? []);
  }

  for (let step = 0; step < 40; step++) {
    const dice = chance.below(10);
    if (dice < 3) change(chance.below(IMAGES));
    else if (dice < 4) tell();
    else if (dice < 7) ask();
    else if (dice < 8) statements.filter(({ rows }) => !rows).forEach(see);
    else answerOne();
    if (chance.of(0.7)) await turn();
  }
  while (untold.length > 0) tell();
  for (let left = 50; left > 0; left--) {
    await turn();
    while (statements.length > 0) answerOne();
  }
  await Promise.all(asked);
  await finder.close();
  return { recalled };
}

test('whoever asks for an image gets nothing older than what was told before, in every order of statements and notifications', async () => {
  let recalled = 0;
  for (let seed = 0; seed < SCHEDULES; seed++) recalled += (await run(seed)).recalled;
  // Without cache hits the test would prove nothing.
  expect(recalled).toBeGreaterThan(SCHEDULES / 10);
});
