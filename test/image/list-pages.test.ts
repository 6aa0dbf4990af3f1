import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImageFilter } from '../../src/image/list/conditions.ts';
import { countImages } from '../../src/image/list/count.ts';
import { writeCursor } from '../../src/image/list/cursor.ts';
import {
  DEFAULT_ORDER,
  type ImageOrder,
  listImages,
  listImagesOrCards,
  type PageArgs,
} from '../../src/image/list/list.ts';
import { openTestApp, type TestApp } from '../harness.ts';

const IMAGES = 3000;

/** An image as the test knows it. */
interface Known {
  readonly id: number;
  readonly userId: string;
  readonly prompt: string;
  readonly tool: string;
  readonly model: string | null;
  readonly provider: string | null;
  readonly origin: string;
  readonly tags: string[] | null;
  readonly status: string;
  readonly metadata: Record<string, unknown> | null;
  readonly bytes: number | null;
  readonly created: number;
  readonly visibility: string;
  readonly deleted: boolean;
  readonly part: boolean;
}

/**
 * A generator of numbers from 0 to 1, the same at every run: https://prng.di.unimi.it/splitmix64.c, in 32
 * bits.
 */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

const LONG_TAG = 'ä'.repeat(300);
const START = Date.parse('2026-01-01T00:00:00Z');
/** Each is rarer than the one before: what is common is walked to, what is rare is found by an index. */
const RARER = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'k', 'l', 'm'];

function makeImages(random: () => number): Known[] {
  const rare = <Item>(items: readonly Item[]) => {
    let place = 0;
    while (place < items.length - 1 && random() < 0.5) place++;
    return items[place] as Item;
  };
  return Array.from({ length: IMAGES }, (_, i) => ({
    id: i + 1,
    // The last are the oldest of all who have hardly any.
    userId: i < 3 ? 'new' : rare(['heavy', 'other', 'third']),
    prompt: [rare(RARER), rare(RARER), i % 700 === 5 ? 'needle' : 'hay'].join(' '),
    tool: rare(['avatar', 'comic', 'chart', 'sticker', 'poster', 'logo']),
    model: rare([...RARER, null]),
    provider: rare(['p1', null, 'p2', 'p3', 'p4']),
    origin: rare(['generated', 'uploaded', 'imported', 'recorded']),
    tags:
      random() < 0.05
        ? null
        : [rare(RARER), rare(RARER), ...(i === 1500 ? ['once'] : []), ...(i % 900 === 7 ? [LONG_TAG] : [])],
    status: rare(['success', 'failed', 'pending', 'processing']),
    metadata: random() < 0.1 ? null : { channel: rare(RARER), deep: { n: i % 500 } },
    bytes: random() < 0.1 ? null : Math.floor(random() * 50) * 1000,
    // Several share a moment.
    created: START + Math.floor(i / 3) * 1000,
    visibility: rare(['public', 'public', 'private']),
    deleted: random() < 0.05,
    part: i > 0 && random() < 0.05,
  }));
}

/** Returns whether a filter finds an image, computed in the simplest way. */
function means(filter: ImageFilter, image: Known): boolean {
  const is = <Value>(wanted: Value | null | undefined, value: Value | null) =>
    wanted == null || wanted === value;
  const tags = image.tags ?? [];
  const words = new Set(image.prompt.split(' '));
  const wanted = filter.metadata as { channel?: string; deep?: { n: number } } | undefined;
  const had = image.metadata as { channel: string; deep: { n: number } } | null;
  return (
    is(filter.userId, image.userId) &&
    is(filter.tool, image.tool) &&
    is(filter.model, image.model) &&
    is(filter.provider, image.provider) &&
    is(filter.origin as string | undefined, image.origin) &&
    is(filter.visibility as string | undefined, image.visibility) &&
    (filter.tags ?? []).every((tag) => tags.includes(tag)) &&
    (!filter.anyTag?.length || filter.anyTag.some((tag) => tags.includes(tag))) &&
    (!filter.status?.length || (filter.status as string[]).includes(image.status)) &&
    (filter.search ?? '').split(' ').every((word) => word === '' || words.has(word)) &&
    (!wanted ||
      (had !== null &&
        is(wanted.channel, had.channel) &&
        (wanted.deep === undefined || wanted.deep.n === had.deep.n))) &&
    (!filter.createdAfter || image.created >= filter.createdAfter.getTime()) &&
    (!filter.createdBefore || image.created < filter.createdBefore.getTime()) &&
    (filter.trash === 'include' || image.deleted === (filter.trash === 'only')) &&
    (filter.parts || !image.part)
  );
}

function makeFilter(random: () => number): ImageFilter {
  const chance = (part: number) => random() < part;
  const one = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item;
  const time = () => new Date(START + Math.floor((random() * IMAGES) / 3) * 1000);
  const tag = () => one([...RARER, 'once', 'none', LONG_TAG]);
  return {
    ...(chance(0.4) && { userId: one(['heavy', 'other', 'third', 'new', 'nobody']) }),
    ...(chance(0.4) && { tags: chance(0.6) ? [tag()] : [tag(), tag()] }),
    ...(chance(0.15) && { anyTag: [tag(), tag()] }),
    ...(chance(0.25) && {
      status: one([
        ['success'],
        ['failed'],
        ['pending', 'processing'],
        ['success', 'failed'],
      ] as const) as never,
    }),
    ...(chance(0.2) && { search: one([...RARER, 'needle', 'a b', 'hay', '']) }),
    ...(chance(0.2) && {
      metadata: one([{ channel: one(RARER) }, { deep: { n: 7 } }, { channel: 'a', deep: { n: 4 } }, {}]),
    }),
    ...(chance(0.1) && { tool: one(['avatar', 'logo', 'none']) }),
    ...(chance(0.1) && { model: one(RARER) }),
    ...(chance(0.1) && { provider: one(['p1', 'p4']) }),
    ...(chance(0.1) && { origin: one(['generated', 'recorded'] as const) }),
    ...(chance(0.1) && { visibility: one(['public', 'private'] as const) }),
    ...(chance(0.15) && { createdAfter: time() }),
    ...(chance(0.15) && { createdBefore: time() }),
    ...(chance(0.2) && { trash: one(['include', 'only', 'exclude'] as const) }),
    ...(chance(0.2) && { parts: true }),
  };
}

describe('lists and counts', () => {
  const random = makeRandom(20261121);
  let images = makeImages(random);
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    await app.database.query(
      `INSERT INTO generated_images (id, user_id, prompt, tool_name, model, provider, origin, tags, status, metadata, bytes, created_at,
         visibility, deleted_at, part_of, part, storage_url)
       SELECT (r->>'id')::bigint, r->>'userId', r->>'prompt', r->>'tool', r->>'model', r->>'provider', r->>'origin',
         CASE WHEN r->>'tags' IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(r->'tags')) END, r->>'status',
         CASE WHEN r->>'metadata' IS NOT NULL THEN r->'metadata' END, (r->>'bytes')::int, to_timestamp((r->>'created')::bigint / 1000.0),
         r->>'visibility', CASE WHEN (r->>'deleted')::boolean THEN now() END, CASE WHEN (r->>'part')::boolean THEN 1 END,
         CASE WHEN (r->>'part')::boolean THEN r->>'id' END, ''
       FROM jsonb_array_elements($1::jsonb) r`,
      [JSON.stringify(images)],
    );
    await app.database.executeSql('ANALYZE');
  });
  afterAll(() => app.close());

  /** In the order that is asked for, by the test's own means. */
  const expected = (filter: ImageFilter, { field, direction }: ImageOrder) => {
    const key = (image: Known) => (field === 'bytes' ? (image.bytes ?? 0) : image.created);
    const sorted = images
      .filter((image) => means(filter, image))
      .toSorted((a, b) => key(a) - key(b) || a.id - b.id)
      .map(({ id }) => id);
    return direction === 'desc' ? sorted.reverse() : sorted;
  };

  const walk = async (filter: ImageFilter, order: ImageOrder, size: number, pages: number) => {
    const ids: number[] = [];
    let after: string | null = null;
    for (let page = 0; page < pages; page++) {
      const found = await listImagesOrCards(app.database, filter, { first: size, after, order, cards: true });
      ids.push(...found.edges.map(({ node }) => Number(node.id)));
      after = found.pageInfo.endCursor;
      if (!found.pageInfo.hasNextPage) break;
    }
    return ids;
  };

  const ORDERS: readonly ImageOrder[] = [
    DEFAULT_ORDER,
    DEFAULT_ORDER,
    { field: 'createdAt', direction: 'asc' },
    { field: 'bytes', direction: 'desc' },
    { field: 'bytes', direction: 'asc' },
  ];

  const check = async (filters: number) => {
    for (let i = 0; i < filters; i++) {
      const filter = makeFilter(random);
      const order = ORDERS[Math.floor(random() * ORDERS.length)] as ImageOrder;
      const size = 1 + Math.floor(random() * 60);
      const about = JSON.stringify({ filter, order, size });
      const all = expected(filter, order);
      expect(await walk(filter, order, size, 3), about).toEqual(all.slice(0, 3 * size));
      const last = await listImages(app.database, filter, { last: size, order });
      expect(
        last.edges.map(({ node }) => Number(node.id)),
        about,
      ).toEqual(all.slice(-size));
      expect(await countImages(app.database, filter, 10 * IMAGES), about).toEqual({
        count: all.length,
        exact: true,
      });
    }
  };

  test('are what a plain filter finds', () => check(300));

  /**
   * The algorithms of https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm, step by step. An
   * edge is the place of its image among all images, and its cursor too; a cursor whose image the filter does
   * not find keeps its place.
   */
  const relay = (allEdges: readonly number[], args: Record<keyof PageArgs, number | null>) => {
    const { first, last, after, before } = args;
    const applyCursorsToEdges = () => {
      let edges = allEdges;
      if (after !== null) edges = edges.filter((edge) => edge > after);
      if (before !== null) edges = edges.filter((edge) => edge < before);
      return edges;
    };
    const edgesToReturn = () => {
      let edges = applyCursorsToEdges();
      if (first !== null && edges.length > first) edges = edges.slice(0, first);
      if (last !== null && edges.length > last) edges = edges.slice(edges.length - last);
      return edges;
    };
    const hasPreviousPage = () => {
      if (last !== null) return applyCursorsToEdges().length > last;
      if (after !== null) return allEdges.some((edge) => edge <= after);
      return false;
    };
    const hasNextPage = () => {
      if (first !== null) return applyCursorsToEdges().length > first;
      if (before !== null) return allEdges.some((edge) => edge >= before);
      return false;
    };
    return { edges: edgesToReturn(), hasPreviousPage: hasPreviousPage(), hasNextPage: hasNextPage() };
  };

  const BOTH = new Set(['hasPreviousPage', 'hasNextPage']);

  test('are paged as Relay pages a plain list, from either end and between any two cursors', async () => {
    const byId = new Map(images.map((image) => [image.id, image]));
    for (let i = 0; i < 500; i++) {
      const filter = random() < 0.3 ? {} : makeFilter(random);
      const order = ORDERS[Math.floor(random() * ORDERS.length)] as ImageOrder;
      const everything = expected({ trash: 'include', parts: true }, order);
      const places = new Map(everything.map((id, at) => [id, at]));
      const all = expected(filter, order).map((id) => places.get(id) as number);
      const place = () => {
        if (random() < 0.5) return null;
        // Picks any image or one that the filter finds, often near an end of the list. Nothing follows the
        // last one found.
        const among = random() < 0.4 && all.length > 0 ? all : [...everything.keys()];
        const near = Math.min(among.length, random() < 0.3 ? 5 : among.length);
        const at = Math.floor(random() * near);
        return among.at(random() < 0.5 ? at : -1 - at) as number;
      };
      const size = Math.floor(random() * (random() < 0.3 ? 3 : 101));
      const [after, before] = [place(), place()];
      const sizes = [
        { first: size, last: null },
        { first: null, last: size },
        { first: null, last: null },
      ][Math.floor(random() * 2.3)] as { first: number | null; last: number | null };
      const cursor = (at: number | null) => {
        const image = at === null ? undefined : byId.get(everything[at] as number);
        if (!image) return null;
        const time = new Date(image.created).toISOString().replace(/T(.*)\.000Z/, ' $1+00');
        return writeCursor(order.field, {
          key: order.field === 'bytes' ? (image.bytes ?? 0) : time,
          id: image.id,
        });
      };
      const about = JSON.stringify({ filter, order, ...sizes, after, before });
      const page = {
        ...sizes,
        after: cursor(after),
        before: cursor(before),
        order,
        cards: true,
        pageInfo: BOTH,
      };
      const { edges, pageInfo } = await listImagesOrCards(app.database, filter, page);
      // Without a size: 20, backward where only `before` is given.
      const isBefore = before !== null && after === null;
      const byDefault = isBefore ? { first: null, last: 20 } : { first: 20, last: null };
      const isSized = sizes.first !== null || sizes.last !== null;
      const meant = relay(all, { ...(isSized ? sizes : byDefault), after, before });
      expect(
        edges.map(({ node }) => Number(node.id)),
        about,
      ).toEqual(meant.edges.map((at) => everything[at]));
      expect(pageInfo, about).toEqual({
        hasPreviousPage: meant.hasPreviousPage,
        hasNextPage: meant.hasNextPage,
        startCursor: edges[0]?.cursor ?? null,
        endCursor: edges.at(-1)?.cursor ?? null,
      });
    }
  });

  test('count to the limit, and say that it is an estimate beyond it', async () => {
    // Where rows of the table are looked at, a tenth of the limit; what no index finds is asked of all that
    // are looked at.
    const cases: [ImageFilter, ImageFilter, number][] = [
      [{}, {}, 1],
      [{ userId: 'heavy' }, { userId: 'heavy' }, 1],
      [{ tags: ['a'] }, { tags: ['a'] }, 1],
      [{ search: 'a' }, { search: 'a' }, 10],
      [{ userId: 'heavy', status: ['success'] }, { userId: 'heavy' }, 10],
    ];
    for (const [filter, looked, times] of cases) {
      const { length } = expected(filter, DEFAULT_ORDER);
      const limit = expected(looked, DEFAULT_ORDER).length * times;
      expect(await countImages(app.database, filter, limit)).toEqual({ count: length, exact: true });
      const beyond = await countImages(app.database, filter, limit - times);
      expect(beyond.exact, JSON.stringify(filter)).toBe(false);
      // Every image that was looked at and is meant is counted, all but one perhaps.
      expect(beyond.count).toBeGreaterThanOrEqual(length - 1);
      expect(beyond.count).toBeLessThan(3 * IMAGES);
    }
  });

  test('know the tags of images that other services have changed', async () => {
    const query = (text: string) => app.database.query(text);
    await query(`UPDATE generated_images SET tags = array_append(tags, 'later') WHERE id % 10 = 0`);
    await query(`UPDATE generated_images SET user_id = 'other' WHERE id % 11 = 0`);
    await query(`UPDATE generated_images SET created_at = created_at + interval '7 days' WHERE id % 13 = 0`);
    await query(`UPDATE generated_images SET deleted_at = now() WHERE id % 17 = 0`);
    await query(`UPDATE generated_images SET deleted_at = NULL WHERE id % 19 = 0`);
    await query(`UPDATE generated_images SET part_of = NULL, part = NULL WHERE id % 23 = 0`);
    await query(`UPDATE generated_images SET tags = NULL WHERE id % 29 = 0`);
    await query('DELETE FROM generated_images WHERE id % 31 = 0');
    images = images.flatMap((image) => {
      const by = (divisor: number) => image.id % divisor === 0;
      if (by(31)) return [];
      const tags = by(10) && image.tags !== null ? [...image.tags, 'later'] : by(10) ? ['later'] : image.tags;
      return {
        ...image,
        tags: by(29) ? null : tags,
        userId: by(11) ? 'other' : image.userId,
        created: by(13) ? image.created + 7 * 86_400_000 : image.created,
        deleted: by(19) ? false : by(17) ? true : image.deleted,
        part: by(23) ? false : image.part,
      };
    });
    const [kept] = await app.database.query<{ wrong: number }>(
      `WITH meant AS (
         SELECT DISTINCT i.user_id, tag, i.created_at, i.id FROM generated_images i, unnest(i.tags) tag
         WHERE i.deleted_at IS NULL AND i.part_of IS NULL AND octet_length(tag) <= 400
       ) SELECT count(*) AS wrong FROM meant FULL JOIN image_tags t
         ON (t.user_id, t.tag, t.created_at, t.image_id) = (meant.user_id, meant.tag, meant.created_at, meant.id)
         WHERE meant.id IS NULL OR t.image_id IS NULL`,
    );
    expect(kept?.wrong).toBe(0);
    expect(expected({ tags: ['later'] }, DEFAULT_ORDER).length).toBeGreaterThan(200);
    await check(100);
  });

  test('have the tags of a service that may write images only, and that looks for names elsewhere', async () => {
    const undo = new Error('Roles belong to all databases of a server: nothing of this stays.');
    const inserted = app.database.transaction(async ({ query }) => {
      await query('CREATE ROLE fixative_test_writer');
      await query('GRANT SELECT, INSERT, UPDATE, DELETE ON generated_images TO fixative_test_writer');
      await query('GRANT USAGE ON SEQUENCE generated_images_id_seq TO fixative_test_writer');
      const [{ schema } = { schema: '' }] = await query<{ schema: string }>(
        'SELECT current_schema() AS schema',
      );
      await query(
        `SELECT set_config('role', 'fixative_test_writer', true), set_config('search_path', 'pg_catalog', true)`,
      );
      await query(
        `INSERT INTO ${schema}.generated_images (id, user_id, prompt, tags) VALUES (1000001, 'writer', 'p', '{a,b,a}')`,
      );
      await query(`UPDATE ${schema}.generated_images SET tags = '{b,c}' WHERE user_id = 'writer'`);
      await query(`SELECT set_config('role', 'none', true), set_config('search_path', '${schema}', true)`);
      const tags = await query<{ tag: string }>(
        `SELECT tag FROM image_tags WHERE user_id = 'writer' ORDER BY tag`,
      );
      expect(tags.map(({ tag }) => tag)).toEqual(['b', 'c']);
      throw undo;
    });
    await expect(inserted).rejects.toBe(undo);
  });

  test('know no tags when the table of images is emptied', async () => {
    await app.database.query('TRUNCATE generated_images CASCADE');
    expect(await app.database.query('SELECT FROM image_tags')).toEqual([]);
    expect(await countImages(app.database, { tags: ['a'] }, 10)).toEqual({ count: 0, exact: true });
  });
});
