import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../cases/ask.ts';
import { openEvents } from '../event-source.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const CHANGES = 'subscription ($f: ImageFilter) { imagesUpdated(filter: $f) { id prompt tags } }';

describe('a subscription that goes on where it broke off', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  let seed = 0;
  async function keep(userId: string, prompt: string) {
    const { image } = await upload(
      app,
      { content: await makePicture({ seed: 69_000 + seed++ }) },
      { userId, prompt },
    );
    if (!image) throw new Error('refused');
    return image;
  }
  const follow = (userId: string, lastEventId: string | null = null) =>
    openEvents(app, CHANGES, { variables: { f: { userId } }, lastEventId });

  /** The prompts of what comes until nothing comes for a while. */
  async function drain(events: Awaited<ReturnType<typeof follow>>) {
    const prompts: string[] = [];
    const missed: unknown[] = [];
    for (;;) {
      const event = await Promise.race([events.next(), sleep(1500, null)]);
      if (!event?.data) break;
      prompts.push(event.data.data.imagesUpdated.prompt);
      if (event.data.extensions) missed.push(event.data.extensions.missedSince);
    }
    events.close();
    return { prompts, missed };
  }

  test('is told what was made and changed meanwhile, however long ago it was made, and by whoever', async () => {
    const old = await keep('ann', 'old');
    const other = await keep('ann', 'other');
    const untouched = await keep('ann', 'untouched');
    await app.database.query(
      `UPDATE generated_images SET created_at = now() - interval '40 days', updated_at = now() - interval '40 days' WHERE id = ANY($1::bigint[])`,
      [[old.databaseId, other.databaseId, untouched.databaseId]],
    );
    const first = await follow('ann');
    await keep('ann', 'seen');
    expect((await first.next())?.data.data.imagesUpdated.prompt).toBe('seen');
    first.close();
    await keep('ann', 'made meanwhile');
    await ask(
      app,
      'mutation ($id: ID!) { updateImage(input: { id: $id, addTags: ["x"] }) { image { id } } }',
      { id: old.id },
    );
    // Another service, whose statement says nothing of the time.
    await app.database.query(`UPDATE generated_images SET prompt = 'other, changed' WHERE id = $1`, [
      other.databaseId,
    ]);
    await keep('bob', 'of somebody else');
    const { prompts, missed } = await drain(await follow('ann', first.lastEventId()));
    expect(prompts).toEqual(expect.arrayContaining(['made meanwhile', 'old', 'other, changed']));
    expect(prompts).not.toContain('untouched');
    expect(prompts).not.toContain('of somebody else');
    expect(missed).toEqual([]);
  });

  test('that has had nothing for a while is not told again what it was told', async () => {
    const events = await follow('cas');
    await keep('cas', 'one');
    await events.next();
    events.close();
    // As if a ping had come a minute later.
    const later = `t${(Date.now() + 40_000).toString(36)}`;
    const { prompts } = await drain(await follow('cas', later));
    expect(prompts).toEqual([]);
  });

  test.each(['nonsense', 't0', `t${(Date.now() + 1e9).toString(36)}`, 't'])(
    'is told that it may have missed something where its id %s is not known',
    async (id) => {
      const events = await follow('dan', id);
      await sleep(300);
      await keep('dan', `after ${id}`);
      const { prompts, missed } = await drain(events);
      expect(prompts).toEqual([`after ${id}`]);
      expect(missed).toEqual([expect.stringMatching(/^20\d\d-/)]);
    },
  );

  test('is told the newest of very many, and that there were more', async () => {
    const events = await follow('eve');
    await keep('eve', 'first');
    await events.next();
    events.close();
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt) SELECT 'eve', 'n' || n FROM generate_series(1, 1500) n`,
    );
    const { prompts, missed } = await drain(await follow('eve', events.lastEventId()));
    expect(prompts).toHaveLength(1000);
    expect(missed).toHaveLength(1);
  });

  test('is the image as it is, for one image', async () => {
    const image = await keep('fay', 'before');
    const events = await openEvents(app, 'subscription ($id: ID!) { imageUpdated(id: $id) { prompt } }', {
      variables: { id: image.id },
    });
    expect(await events.next()).toMatchObject({
      event: 'next',
      id: expect.any(String),
      data: { data: { imageUpdated: { prompt: 'before' } } },
    });
    expect(events.headers.get('cache-control')).toBe('no-cache');
    events.close();
  });

  test('each event but the last of some that came together leaves the client where it was', async () => {
    const events = await follow('gus');
    await keep('gus', 'zero');
    const before = (await events.next())?.id;
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt) SELECT 'gus', 'n' || n FROM generate_series(1, 3) n`,
    );
    const three = [await events.next(), await events.next(), await events.next()].map((event) => event?.id);
    events.close();
    expect(three.slice(0, 2)).toEqual([before, before]);
    expect(three[2]).not.toBe(before);
  });

  test.each([
    ['images cannot be read', 'generated_images'],
    ['nobody can say whether the token is valid', 'api_tokens'],
  ])('is cut off while %s, and goes on after that', async (_what, table) => {
    const userId = `follower of ${table}`;
    const { token } = await app.services.tokens.create({ name: 'follower', scopes: ['images:read'] });
    const open = (lastEventId: string | null) =>
      openEvents(app, CHANGES, { variables: { f: { userId } }, token, lastEventId });
    const events = await open(null);
    const { databaseId } = await keep(userId, 'seen');
    const [row] = await app.database.query<{ uuid: string }>(
      'SELECT uuid FROM generated_images WHERE id = $1',
      [databaseId],
    );
    const ofEnd = async () => {
      for (;;) {
        const event = await events.next();
        if (event?.data?.data?.imagesUpdated?.prompt !== 'seen') return event;
      }
    };
    const end = ofEnd().catch((error: Error) => error);
    await sleep(300);
    // Waits until the cached token has expired, which takes ten seconds.
    if (table === 'api_tokens') await sleep(11_000);
    await app.database.query(`ALTER TABLE ${table} RENAME TO away`);
    if (table === 'api_tokens') await keep(userId, 'changed');
    else await app.database.query(`SELECT pg_notify('fixative_images', $1)`, [row?.uuid]);
    expect(await end).toBeInstanceOf(Error);
    await app.database.query(`ALTER TABLE away RENAME TO ${table}`);
    if (table !== 'api_tokens') await keep(userId, 'changed');
    const { prompts } = await drain(await open(events.lastEventId()));
    expect(prompts).toContain('changed');
  });

  test('is told that there is no such image, and that there is nothing to follow', async () => {
    const events = await openEvents(app, 'subscription ($id: ID!) { imageUpdated(id: $id) { prompt } }', {
      variables: { id: '0199f4d4-0000-7000-8000-000000000000' },
    });
    expect(await events.next()).toMatchObject({
      event: 'next',
      data: { errors: [{ extensions: { code: 'NOT_FOUND' } }] },
    });
    expect(await events.next()).toEqual({ event: 'complete', id: null, data: null });
    expect(await events.next()).toBeNull();
  });
});
