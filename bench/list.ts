import { readFile } from 'node:fs/promises';
import type { Queryable } from '../src/database/database.ts';
import { ask, type Contest, type ContestResult, hold, type Rules } from './contest.ts';
import type { Target } from './load.ts';
import { type ServerProcess, startServer } from './servers.ts';

/** What a benchmark is run in: a seeded database, and where the product listens. */
export interface Bench {
  readonly rules: Rules;
  readonly database: Queryable;
  readonly databaseUrl: string;
  readonly databasePid: number;
  readonly poolSize: number;
  /** A directory to work in, which is empty. */
  readonly directory: string;
  readonly product: ServerProcess;
  readonly rootToken: string;
  /** Said at each result, before the table. */
  readonly report: (result: ContestResult) => void;
}

const PAGE_SIZE = 20;
const SUBJECTS = 200;

/** Lists as clients ask for them, through GraphQL, each against the limit (limit.ts). */
export async function benchList(bench: Bench): Promise<ContestResult[]> {
  const limit = await startServer(['bench/limit.ts'], {
    directory: bench.directory,
    env: {
      DATABASE_URL: bench.databaseUrl,
      DATABASE_POOL_SIZE: String(bench.poolSize),
      PUBLIC_URL: bench.product.url.origin,
    },
  });
  try {
    const results: ContestResult[] = [];
    for (const contest of await makeContests(bench, limit)) {
      const result = await hold(contest, bench.rules, bench.databasePid);
      bench.report(result);
      results.push(result);
    }
    return results;
  } finally {
    await limit.stop();
  }
}

async function makeContests(bench: Bench, limit: ServerProcess): Promise<Contest[]> {
  const ours: Target = { ...bench.product, headers: { authorization: `Bearer ${bench.rootToken}` } };
  const limitAt = (name: string): Target => ({ ...limit, url: new URL(name, limit.url), headers: {} });
  const bodies = (query: string, variables: readonly object[]) =>
    variables.map((each) => JSON.stringify({ query, variables: each }));
  const contest = (name: string, about: string, requests: readonly string[]): Contest => ({
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
    contest('imagePage', `the first ${PAGE_SIZE} images of a user, 7 fields`, first),
    {
      ...contest(
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
    contest(
      'imagePageFiltered',
      'the first page of a user with a tag and a status',
      bodies(
        page,
        users.map(({ userId, tag }) => ({
          filter: { userId, tags: [tag], status: ['SUCCESS'] },
          first: PAGE_SIZE,
        })),
      ),
    ),
    contest(
      'imagePageOfTag',
      'the first page of a tag and a status, of all users',
      bodies(
        page,
        tags.map((tag) => ({ filter: { tags: [tag], status: ['SUCCESS'] }, first: PAGE_SIZE })),
      ),
    ),
    contest(
      'imageCount',
      'how many images a user has',
      bodies(
        count,
        users.map(({ userId }) => ({ filter: { userId } })),
      ),
    ),
    contest(
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

/** Users with more than two pages, from the busiest to the least, each with the tag that it has most often. */
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

/** That many of a list, from its beginning to its end, evenly. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)] as Item);
}

/** Mixes great and small, in the same way at every run. */
function shuffle<Item>(items: readonly Item[]): Item[] {
  const stride = [73, 71, 67].find((prime) => items.length % prime !== 0) ?? 1;
  return items.map((_, i) => items[(i * stride) % items.length] as Item);
}

async function endCursor(target: Target, body: string): Promise<string> {
  const { json } = await ask(target, body);
  return (json as { data: { images: { pageInfo: { endCursor: string } } } }).data.images.pageInfo.endCursor;
}
