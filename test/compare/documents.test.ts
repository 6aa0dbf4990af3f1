import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { execute, parse, validate } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { FAST_PATH } from '../../src/http/operations/repeated-operations.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { COMPARE_SECONDS, COMPARE_SEED, compareForSeconds } from './chance.ts';
import { type GeneratedDocument, makeDocument } from './document.ts';
import { mockResolvers, returned } from './mock-resolvers.ts';
import { byGet, byJson, byMultipart, parametersOf } from './send-document.ts';

/**
 * All ways to run a document respond with the same bytes: Yoga's interpreter by JSON, multipart and GET, the
 * fast path of repeated documents, and graphql-js itself. Documents and variables are random (document.ts).
 * The resolvers return what follows from their arguments (mock-resolvers.ts), so that a different argument
 * changes the response.
 */
const FAULTS = 0.002;
let app: TestApp;
let fast = 0;
const count = () => {
  fast++;
};
beforeAll(async () => {
  mockResolvers(schema, FAULTS);
  subscribe(FAST_PATH, count);
  app = await openTestApp(
    {
      RATE_LIMIT_PER_CALLER: 'off',
      MAX_QUERY_COST: '100000000',
      MAX_QUERY_DEPTH: '30',
      MAX_QUERY_ALIASES: '500',
      MAX_QUERY_DIRECTIVES: '500',
      MAX_QUERY_TOKENS: '20000',
      MAX_QUERY_MUTATIONS: '500',
      MAX_QUERY_GENERATIONS: '10000',
    },
    // Unexpected errors are compared too, and there are many.
    { log: (await import('pino')).pino({ level: 'silent' }) },
  );
});
afterAll(async () => {
  unsubscribe(FAST_PATH, count);
  await app.close();
});

/**
 * Returns the files that are in the variables. Those in lists and objects that were left out are not sent.
 */
function filesIn({ files, variables }: GeneratedDocument): string[] {
  return files.filter((path) => {
    const steps = path.split('.').slice(1);
    let value: unknown = variables;
    for (const step of steps) value = (value as Record<string, unknown> | null | undefined)?.[step];
    return value === null;
  });
}

const counts = { documents: 0, valid: 0, withErrors: 0, byFastPath: 0, byGet: 0, withFiles: 0, mutations: 0 };

async function compare(seed: number): Promise<void> {
  const made = makeDocument(schema, seed);
  // Makes the text unique, so that documents of other seeds do not prepare it.
  const document = { ...made, query: `${made.query}\n# ${seed}`, files: filesIn(made) };
  const about = `COMPARE_SEED=${seed}\n${JSON.stringify(parametersOf(document), null, 1)}\n${document.query}`;
  const accept = seed % 3 === 0 ? 'application/graphql-response+json' : 'application/json';

  if (document.files.length > 0) {
    const first = await byMultipart(app, document, accept);
    expect(await byMultipart(app, document, accept), about).toEqual(first);
    counts.withFiles++;
  }
  const ran = fast;
  const sets = returned.sets;
  const first = await byJson(app, document, accept);
  for (let times = 0; times < 2; times++) expect(await byJson(app, document, accept), about).toEqual(first);
  if (document.files.length === 0) expect(await byMultipart(app, document, accept), about).toEqual(first);
  if (document.kind === 'query' && document.operationName !== 'Other' && document.query.length < 4000) {
    expect(await byGet(app, document, accept), about).toEqual(first);
    counts.byGet++;
  }

  counts.documents++;
  if (document.kind === 'mutation') counts.mutations++;
  const answer = JSON.parse(first.text) as { data?: unknown; errors?: { message: string }[] };
  const parsed = parse(document.query);
  if (validate(schema, parsed).length > 0) {
    expect(answer, about).not.toHaveProperty('data');
    return;
  }
  counts.valid++;
  const reference = await execute({
    schema,
    document: parsed,
    // Variables as the server gets them: JSON has no Infinity.
    variableValues: JSON.parse(JSON.stringify(document.variables)),
    operationName: document.operationName,
    contextValue: {},
  });
  expect({ data: answer.data }, `${about}\n${first.text}`).toEqual({
    data: JSON.parse(JSON.stringify(reference)).data,
  });
  expect(answer.errors?.length ?? 0, about).toBe(reference.errors?.length ?? 0);
  if (answer.errors) counts.withErrors++;
  if (fast > ran) counts.byFastPath++;
  // The fast path handles every query that succeeds, except those that it leaves to the interpreter on
  // purpose.
  const runsMutation = document.kind === 'mutation' && document.operationName !== 'Other';
  const hasNullCondition = Object.entries(document.variables).some(
    ([name, value]) => name.startsWith('if') && value === null,
  );
  const isLeft = runsMutation || /__proto__/.test(document.query) || returned.sets > sets;
  if (answer.errors || isLeft) expect(fast - ran, about).toBe(0);
  // A null condition fails only when its field is reached.
  else if (!hasNullCondition) expect(fast - ran, about).toBeGreaterThanOrEqual(2);
}

test('every way of running a document answers alike', {
  timeout: (COMPARE_SECONDS + 60) * 1000,
}, async () => {
  const seeds = await compareForSeconds(compare);
  process.stdout.write(`documents: ${JSON.stringify(counts)}, seeds from ${COMPARE_SEED}\n`);
  expect(counts.documents).toBe(seeds);
  // Shares are random when there are few documents.
  if (counts.documents < 500) return;
  expect(counts.valid / counts.documents).toBeGreaterThan(0.6);
  expect(counts.byFastPath / counts.documents).toBeGreaterThan(0.15);
});
