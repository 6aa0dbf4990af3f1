import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { FAST_PATH } from '../../src/http/operations/repeated-operations.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { COMPARE_SECONDS, COMPARE_SEED, compareForSeconds } from './chance.ts';
import { makeDocument } from './document.ts';
import { type Answer, byGet, byJson, byMultipart, parametersOf } from './send-document.ts';

/** Compares random queries, as documents.test.ts does, with the resolvers of the product and a few images. */
let app: TestApp;
let ids: string[];
let fast = 0;
const count = () => {
  fast++;
};
beforeAll(async () => {
  subscribe(FAST_PATH, count);
  app = await openTestApp(
    { RATE_LIMIT_PER_CALLER: 'off', MAX_QUERY_COST: '100000000', MAX_QUERY_DEPTH: '30' },
    { log: pino({ level: 'silent' }) },
  );
  ids = [];
  for (let i = 0; i < 8; i++) {
    const { image } = await upload(
      app,
      { content: await makePicture({ seed: i % 5 }) },
      {
        userId: `u${i % 2}`,
        prompt: `x ${i}`,
        tags: ['x', `t${i % 3}`],
        metadata: { a: { b: [1, null] }, i },
        visibility: i % 4 === 0 ? 'PRIVATE' : 'PUBLIC',
      },
    );
    const uuid = image?.url?.split('/')[4] ?? '';
    ids.push(image?.id ?? '', uuid);
    if (i < 2) ids.push(Buffer.from(`Copy:${uuid}:filesystem`).toString('base64'));
  }
  const { apiToken } = await app.services.tokens.create({ name: 'x', scopes: ['images:read'] });
  ids.push(Buffer.from(`ApiToken:${apiToken.id}`).toString('base64'));
  await app.storage.settled();
});
afterAll(async () => {
  unsubscribe(FAST_PATH, count);
  await app.close();
});

const counts = { documents: 0, withData: 0, withErrors: 0, byFastPath: 0 };

/**
 * Normalizes errors. When several non-null fields fail, GraphQL reports the first one, and with a real
 * database the order varies: https://spec.graphql.org/October2021/#sec-Handling-Field-Errors
 */
function withoutRaces({ text, ...answer }: Answer): object {
  const { errors, ...rest } = JSON.parse(text) as { errors?: unknown[]; data?: unknown };
  return errors && 'data' in rest ? { ...answer, ...rest, hasErrors: true } : { ...answer, text };
}

async function compare(seed: number): Promise<void> {
  const values = { ids: [...ids, 'x'], strings: ['u0', 'u1', 'x', 't1', 'uploadImage', '64x64', ''] };
  const made = makeDocument(schema, seed, values, ['query']);
  const document = { ...made, query: `${made.query}\n# ${seed}` };
  const about = `COMPARE_SEED=${seed}\n${JSON.stringify(parametersOf(document), null, 1)}\n${document.query}`;
  const ran = fast;
  const accept = 'application/json';
  const first = await byJson(app, document, accept);
  const expectSame = (answer: Answer) => expect(withoutRaces(answer), about).toEqual(withoutRaces(first));
  for (let times = 0; times < 2; times++) expectSame(await byJson(app, document, accept));
  expectSame(await byMultipart(app, { ...document, files: [] }, accept));
  if (document.query.length < 4000) expectSame(await byGet(app, document, accept));
  const answer = JSON.parse(first.text) as { data?: unknown; errors?: unknown };
  counts.documents++;
  if (answer.data) counts.withData++;
  if (answer.errors) counts.withErrors++;
  if (fast > ran) counts.byFastPath++;
}

test('every way of running a query answers alike on real images', {
  timeout: (COMPARE_SECONDS + 60) * 1000,
}, async () => {
  await compareForSeconds(compare);
  process.stdout.write(`real documents: ${JSON.stringify(counts)}, seeds from ${COMPARE_SEED}\n`);
  // Shares are random when there are few documents.
  if (counts.documents < 500) return;
  expect(counts.withData / counts.documents).toBeGreaterThan(0.3);
  expect(counts.byFastPath / counts.documents).toBeGreaterThan(0.2);
});
