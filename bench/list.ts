import { readFile } from 'node:fs/promises';
import type { Queryable } from '../src/database/database.ts';
import type { Bench } from './bench.ts';
import { agreeOnJson, type ContestResult, runContest, sendQuery } from './contest.ts';
import type { Target } from './load.ts';
import { type ServerProcess, startServer } from './servers.ts';

const PAGE_SIZE = 20;
const SUBJECTS = 200;
const DEEP_PAGE = 5000;

/** Measures lists through GraphQL, each against the limit (limits/list.ts). */
export async function benchList(bench: Bench): Promise<ContestResult[]> {
  const limit = await startServer(['bench/limits/list.ts'], {
    directory: bench.directory,
    env: {
      DATABASE_URL: bench.databaseUrl,
      DATABASE_POOL_SIZE: String(bench.poolSize),
      PUBLIC_URL: bench.product.url.origin,
    },
  });
  try {
    const results: ContestResult[] = [];
    for (const { name, about, ours, limit: target, bodies } of await makeQuestions(bench, limit)) {
      const agreed = await agreeOnJson(name, { ours, limit: target }, bodies);
      const result = await runContest({ name, about, ...agreed }, bench.rules, bench.databasePid);
      bench.report(result);
      results.push(result);
    }
    return results;
  } finally {
    await limit.stop();
  }
}

interface Question {
  readonly name: string;
  readonly about: string;
  readonly ours: Target;
  readonly limit: Target;
  readonly bodies: readonly string[];
}

async function makeQuestions(bench: Bench, limit: ServerProcess): Promise<Question[]> {
  const ours: Target = { ...bench.product, headers: { authorization: `Bearer ${bench.rootToken}` } };
  const limitAt = (name: string): Target => ({ ...limit, url: new URL(name, limit.url), headers: {} });
  const bodies = (query: string, variables: readonly object[]) =>
    variables.map((each) => JSON.stringify({ query, variables: each }));
  const question = (name: string, about: string, requests: readonly string[]): Question => ({
    name,
    about,
    ours,
    limit: limitAt(name),
    bodies: requests,
  });

  const [page, count, core] = await Promise.all([
    readDocument('imagePage.graphql'),
    readDocument('imageCount.graphql'),
    readDocument('image.fragment.graphql').then((fragment) => `${CORE_PAGE}\n${fragment}`),
  ]);
  const users = await findUsers(bench.database);
  const tags = await findTags(bench.database);
  const ofUsers = users.map(({ userId }) => ({ filter: { userId }, first: PAGE_SIZE }));
  const first = bodies(page, ofUsers);
  const cursors = await Promise.all(first.map((body) => endCursor(limitAt('imagePage'), body)));

  return [
    question('imagePage', `the first ${PAGE_SIZE} images of a user, 7 fields`, first),
    {
      ...question(
        'imagePage',
        '',
        bodies(
          page,
          ofUsers.map((each, i) => ({ ...each, after: cursors[i] })),
        ),
      ),
      name: 'imagePageNext',
      about: 'the page after it, by cursor',
    },
    question(
      'imagePageDeep',
      `page ${DEEP_PAGE.toLocaleString('en')} of all images, by cursor; the middle one when there are fewer`,
      bodies(
        page,
        (await findDeepCursors(bench.database)).map((after) => ({ filter: {}, first: PAGE_SIZE, after })),
      ),
    ),
    question(
      'imagePageFiltered',
      'the first page of a user, a tag and a status',
      bodies(
        page,
        users.map(({ userId, tag }) => ({
          filter: { userId, tags: [tag], status: ['SUCCESS'] },
          first: PAGE_SIZE,
        })),
      ),
    ),
    question(
      'imagePageOfTag',
      'the first page of a tag and a status, of all users',
      bodies(
        page,
        tags.map((tag) => ({ filter: { tags: [tag], status: ['SUCCESS'] }, first: PAGE_SIZE })),
      ),
    ),
    question(
      'imageCount',
      'the number of images of a user',
      bodies(
        count,
        users.map(({ userId }) => ({ filter: { userId } })),
      ),
    ),
    question(
      'imageCore',
      `the first ${PAGE_SIZE} images of a user, every field, with copies`,
      bodies(core, ofUsers),
    ),
  ];
}

const CORE_PAGE = `query ImageCorePage($filter: ImageFilter, $first: Int!) {
  images(filter: $filter, first: $first) { edges { node { ...ImageCore } } pageInfo { hasNextPage endCursor } }
}`;

function readDocument(name: string): Promise<string> {
  return readFile(new URL(`../test/documents/${name}`, import.meta.url), 'utf8');
}

/** Finds users with more than two pages, most images first, each with its most frequent tag. */
async function findUsers(database: Queryable): Promise<{ userId: string; tag: string }[]> {
  const users = await database.query<{ userId: string; tag: string }>(
    `SELECT user_id AS "userId", mode() WITHIN GROUP (ORDER BY tag) AS tag
     FROM (SELECT user_id, tags, count(*) OVER (PARTITION BY user_id) AS images FROM generated_images) i, unnest(tags) tag
     WHERE images > $1 GROUP BY user_id ORDER BY max(images) DESC, user_id`,
    [2 * PAGE_SIZE],
  );
  return shuffle(spread(users, SUBJECTS));
}

async function findTags(database: Queryable): Promise<string[]> {
  const tags = await database.query<{ tag: string }>(
    'SELECT tag FROM generated_images i, unnest(tags) tag GROUP BY tag ORDER BY count(*) DESC, tag',
  );
  return shuffle(tags.map(({ tag }) => tag));
}

/** Returns `count` items of a list, evenly spaced from its beginning to its end. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)] as Item);
}

/** Mixes heavy and light users, in the same order at every run. */
function shuffle<Item>(items: readonly Item[]): Item[] {
  const stride = [73, 71, 67].find((prime) => items.length % prime !== 0) ?? 1;
  return items.map((_, i) => items[(i * stride) % items.length] as Item);
}

async function findDeepCursors(database: Queryable): Promise<string[]> {
  const rows = await database.query<{ cursor: string }>(
    `SELECT concat('createdAt:', created_at AT TIME ZONE 'UTC', '+00:', id) AS cursor FROM generated_images
     ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET least($2, (SELECT count(*) FROM generated_images) / 2)`,
    [SUBJECTS, DEEP_PAGE * PAGE_SIZE],
  );
  return rows.map(({ cursor }) => Buffer.from(cursor).toString('base64url'));
}

async function endCursor(target: Target, body: string): Promise<string> {
  const { json } = await sendQuery(target, body);
  return (json as { data: { images: { pageInfo: { endCursor: string } } } }).data.images.pageInfo.endCursor;
}
