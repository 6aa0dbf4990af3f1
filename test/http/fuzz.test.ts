import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import {
  buildSchema,
  type GraphQLInputType,
  type GraphQLNamedType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture, makeRandom } from '../pictures.ts';

/**
 * Random documents of the schema, and random bodies, until the time is over: FUZZ_SECONDS, four of each kind
 * without it. Whatever comes, no answer is a failure of ours, none hangs, and nothing is left behind.
 * FUZZ_SEED repeats a run.
 */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 4);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
const HANG_SECONDS = 20;

let app: TestApp;
let ids: string[];
beforeAll(async () => {
  app = await openTestApp({
    MAX_UPLOAD_BYTES: '1 MiB',
    FETCH_TIMEOUT_SECONDS: '1',
    RATE_LIMIT_PER_CALLER: 'off',
  });
  const rows = await app.database.query<{ uuid: string }>(
    `INSERT INTO generated_images (user_id, prompt, tags) SELECT 'fuzz', 'p' || n, ARRAY['t' || n % 3] FROM generate_series(1, 30) n RETURNING uuid`,
  );
  ids = rows.map(({ uuid }) => uuid);
});
afterAll(() => app.close());

interface Answer {
  readonly status: number;
  readonly text: string;
}

function send(
  body: Buffer | string,
  headers: Record<string, string>,
  options: { method?: string; path?: string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        hostname,
        port,
        method: options.method ?? 'POST',
        path: options.path ?? '/graphql',
        headers: { authorization: `Bearer ${ROOT_TOKEN}`, ...headers },
        timeout: HANG_SECONDS * 1000,
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
          // A subscription that was let in goes on; that it began is its answer.
          if (response.headers['content-type']?.includes('event-stream')) outgoing.destroy();
        });
        response.on('close', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', () => {});
      },
    );
    outgoing.on('timeout', () => reject(new Error(`it hangs: ${Buffer.from(body).toString('latin1')}`)));
    // A body that ends too soon, or a connection that is cut on purpose, has no answer.
    outgoing.on('error', () => resolve({ status: 0, text: '' }));
    outgoing.end(body);
  });
}

function check({ status, text }: Answer, what: string): void {
  const about = `seed ${SEED}: ${what.slice(0, 2000)}\n${text.slice(0, 1000)}\n${app.logged.at(-1) ?? ''}`;
  expect(status, about).toBeLessThan(500);
  expect(text, about).not.toContain('"INTERNAL"');
}

async function settled(): Promise<void> {
  await eventually(() => expect(app.storage.spooler.count).toBe(0));
  expect(app.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  expect((await app.fetch('/graphql?query={__typename}')).status).toBe(200);
}

async function until(seconds: number, lanes: number, work: () => Promise<void>): Promise<number> {
  const deadline = Date.now() + seconds * 1000;
  let count = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (Date.now() < deadline) {
        await work();
        count++;
      }
    }),
  );
  return count;
}

test('random documents of the schema', { timeout: (SECONDS + 60) * 1000 }, async () => {
  const schema = buildSchema(await readFile('schema.graphql', 'utf8'));
  const random = makeRandom(SEED);
  const chance = (share: number) => random() < share;
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const TEXTS = [
    '',
    ' ',
    'x',
    'a'.repeat(300),
    '\u0000',
    '\ud800',
    '💥',
    '../..',
    '%00',
    "'; DROP TABLE generated_images; --",
    '{}',
    '-1',
    'SW1hZ2U6MQ==',
    'null',
    '2026-01-01T00:00:00Z',
    '9'.repeat(40),
    'http://127.0.0.1:1/x',
    'http://[::1]/',
    'file:///etc/passwd',
    '64x64',
    '0x0',
    'sample',
    'webp',
    '\u202e',
    '"',
    '\\',
    'fuzz',
  ];

  function inputOf(type: GraphQLInputType, depth: number): unknown {
    if (isNonNullType(type)) return chance(0.97) ? inputOf(type.ofType, depth) : null;
    if (chance(0.1)) return null;
    if (isListType(type))
      return chance(0.9)
        ? Array.from({ length: Math.floor(random() * 4) }, () => inputOf(type.ofType, depth + 1))
        : inputOf(type.ofType, depth);
    if (isEnumType(type)) return chance(0.95) ? oneOf(type.getValues()).name : oneOf(TEXTS);
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter(
        (field) => isNonNullType(field.type) || chance(depth > 3 ? 0.1 : 0.35),
      );
      return Object.fromEntries(fields.map((field) => [field.name, inputOf(field.type, depth + 1)]));
    }
    if (chance(0.05)) return oneOf([1, true, [], {}, 'x', Number.POSITIVE_INFINITY, -0.5]);
    switch (type.name) {
      case 'Int':
      case 'BigInt':
        return oneOf([0, 1, 2, 5, 100, 101, -1, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -(2 ** 31)]);
      case 'Float':
        return oneOf([0, 1.5, -1, 1e308, 1e-308]);
      case 'Boolean':
        return chance(0.5);
      case 'ID':
        return chance(0.6) ? oneOf(ids) : oneOf(TEXTS);
      case 'JSON':
        return oneOf<unknown>([
          {},
          { a: 1 },
          [1, 'x'],
          'x',
          1,
          null,
          { '\u0000': 1 },
          { __proto__: null, constructor: { prototype: 1 } },
          { kind: 'bar', rows: [{ x: 1, y: 2 }], x: 'x', y: 'y' },
          { spec: { mark: 'bar', data: { url: 'http://127.0.0.1/' } } },
        ]);
      default:
        return oneOf(TEXTS);
    }
  }

  function selectionOf(
    type: GraphQLNamedType,
    depth: number,
    variables: Map<string, { type: string; value: unknown }>,
  ): string {
    if (!isObjectType(type) && !isInterfaceType(type)) return '';
    const fields = Object.values(type.getFields());
    const wanted = depth > 5 ? fields.filter((field) => !('getFields' in getNamedType(field.type))) : fields;
    const chosen = wanted.filter(() => chance(depth === 0 ? 0.15 : 0.3)).slice(0, 8);
    const texts = (chosen.length > 0 || depth === 0 ? chosen : []).map((field) => {
      const named = getNamedType(field.type);
      const args = field.args
        .filter((arg) => isNonNullType(arg.type) || chance(0.4))
        .map((arg) => {
          const name = `v${variables.size}`;
          variables.set(name, { type: String(arg.type), value: inputOf(arg.type, 0) });
          return `${arg.name}: $${name}`;
        });
      const alias = chance(0.1) ? `a${Math.floor(random() * 3)}: ` : '';
      const directive = chance(0.05)
        ? ` @${oneOf(['include', 'skip', 'deprecated', 'defer'])}(if: ${chance(0.5)})`
        : '';
      return `${alias}${chance(0.01) ? 'nosuch' : field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}${directive}${selectionOf(named, depth + 1, variables)}`;
    });
    if (texts.length === 0 || chance(0.1)) texts.push('__typename');
    if (isInterfaceType(type) && chance(0.5)) {
      const possible = oneOf(schema.getPossibleTypes(type));
      texts.push(`... on ${possible.name}${selectionOf(possible, depth + 1, variables)}`);
    }
    return ` { ${texts.join(' ')} }`;
  }

  const before = process.memoryUsage().rss;
  let ran = 0;
  const count = await until(SECONDS, 4, async () => {
    const kind = oneOf(['query', 'query', 'mutation', 'subscription'] as const);
    const root = {
      query: schema.getQueryType(),
      mutation: schema.getMutationType(),
      subscription: schema.getSubscriptionType(),
    }[kind];
    const variables = new Map<string, { type: string; value: unknown }>();
    const selection = selectionOf(root as GraphQLNamedType, 0, variables);
    // Waiting for pictures would leave time to send only a few documents.
    for (const { value } of variables.values())
      if (typeof value === 'object' && value !== null && 'waitSeconds' in value) value.waitSeconds = 0;
    const head = [...variables].map(([name, { type }]) => `$${name}: ${type}`).join(', ');
    let query = `${kind} Q${head ? `(${head})` : ''}${selection}`;
    if (chance(0.05)) query = query.slice(0, Math.floor(random() * query.length));
    const values = Object.fromEntries([...variables].map(([name, { value }]) => [name, value]));
    const body = JSON.stringify({
      query,
      variables: chance(0.02) ? 'x' : values,
      ...(chance(0.05) ? { operationName: oneOf(TEXTS) } : {}),
    });
    const accept =
      kind === 'subscription' && chance(0.8)
        ? 'text/event-stream'
        : oneOf(['application/json', 'application/graphql-response+json', '*/*']);
    const answer = await send(body, { 'content-type': 'application/json', accept });
    if (/"data":\{/.test(answer.text)) ran++;
    check(answer, body);
  });
  await settled();
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  process.stdout.write(
    `fuzz: ${count} documents, ${ran} of them ran, seed ${SEED}; ${Math.round(grown)} MiB more in use\n`,
  );
  expect(count).toBeGreaterThan(20);
  expect(ran).toBeGreaterThan(count / 20);
});

test('random bodies: multipart, JSON, upload targets, addresses', {
  timeout: (SECONDS + 60) * 1000,
}, async () => {
  const random = makeRandom(SEED + 1);
  const chance = (share: number) => random() < share;
  const below = (most: number) => Math.floor(random() * most);
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const picture = await makePicture({ width: 20, height: 20 });
  const operations = {
    query: 'mutation($i: UploadImageInput!) { uploadImage(input: $i) { image { id } userErrors { code } } }',
    variables: { i: { file: null, userId: 'fuzz' } },
  };
  const part = (disposition: string, content: Buffer | string, more = '') =>
    Buffer.concat([
      Buffer.from(`--edge\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]);
  const valid = [
    part('name="operations"', JSON.stringify(operations)),
    part('name="map"', '{"0":["variables.i.file"]}'),
    part('name="0"; filename="a.png"', picture, 'Content-Type: image/png\r\n'),
    Buffer.from('--edge--\r\n'),
  ];
  const SPLICES = [
    '\r\n--edge\r\n',
    '--edge--',
    '\r\n\r\n',
    '\u0000',
    'Content-Disposition: form-data; name="0"; filename="\u0000"',
    '{"0":["variables.__proto__.x"]}',
    '{"0":["variables.i.file","variables.i.file"]}',
    'null',
    '[]',
    '"',
    'Content-Transfer-Encoding: base64\r\n',
    'Content-Type: multipart/mixed; boundary=edge\r\n',
    'x'.repeat(5000),
  ];

  function mutate(body: Buffer): Buffer {
    let text = body;
    for (let times = below(4); times > 0; times--) {
      const at = below(text.length + 1);
      const end = Math.min(text.length, at + below(200));
      const insert = chance(0.5)
        ? Buffer.from(oneOf(SPLICES))
        : Buffer.from(Array.from({ length: below(20) }, () => below(256)));
      text = Buffer.concat([text.subarray(0, at), insert, text.subarray(chance(0.5) ? end : at)]);
    }
    return text;
  }

  let kept = 0;
  const count = await until(SECONDS, 4, async () => {
    const kind = random();
    if (kind < 0.7) {
      const parts = chance(0.2) ? [...valid].sort(() => random() - 0.5) : valid.filter(() => chance(0.97));
      if (chance(0.1)) parts.splice(below(parts.length), 0, oneOf(valid));
      const body = mutate(Buffer.concat(parts));
      const type = chance(0.9)
        ? 'multipart/form-data; boundary=edge'
        : oneOf([
            'multipart/form-data',
            'multipart/form-data; boundary=',
            'multipart/form-data; boundary="edge',
            'multipart/mixed; boundary=edge',
            `multipart/form-data; boundary=${'x'.repeat(80)}`,
          ]);
      const answer = await send(body, { 'content-type': type });
      if (/"userErrors":\[\]/.test(answer.text)) kept++;
      check(answer, body.toString('latin1'));
    } else if (kind < 0.85) {
      const body = mutate(
        Buffer.from(
          JSON.stringify({ query: '{ __typename }', variables: { a: [1, { b: null }] }, extensions: {} }),
        ),
      );
      check(
        await send(body, {
          'content-type': oneOf([
            'application/json',
            'application/json; charset=utf-16',
            'text/plain',
            'application/graphql',
            'application/x-www-form-urlencoded',
            'APPLICATION/JSON',
          ]),
        }),
        body.toString('latin1'),
      );
    } else {
      const target = Array.from({ length: below(60) }, () => String.fromCharCode(33 + below(93))).join('');
      const path = `/${oneOf(['graphql?query=', 'images/', 'generated/', 'uploads/', 'api/images/generated?', 'login?code=', ''])}${target}`;
      const method = oneOf(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH']);
      check(
        await send(method === 'GET' || method === 'HEAD' ? '' : mutate(picture), {}, { method, path }),
        `${method} ${path}`,
      );
    }
  });
  await settled();
  process.stdout.write(`fuzz: ${count} bodies, ${kept} of them kept, seed ${SEED}\n`);
  expect(count).toBeGreaterThan(20);
  expect(kept).toBeGreaterThan(0);
});
