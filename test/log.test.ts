import { Writable } from 'node:stream';
import { print } from 'graphql';
import { expect, test } from 'vitest';
import { parseConfig } from '../src/config.ts';
import { makeLog } from '../src/log.ts';
import { CreateUploadTargetDocument } from './generated/graphql.ts';
import { openTestApp, ROOT_TOKEN } from './harness.ts';

function makeSink() {
  let text = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return { destination, read: () => text };
}

const HOSTILE =
  'a\n[12:00:00] INFO: all is well\r\u001b[2J\u001b]0;x\u0007\u0000\u009b31m\u2028\u202egnp.exe\u2066\u200f';

test('hostile text cannot forge a line of the log or control the terminal', async () => {
  for (const format of ['text', 'json'] as const) {
    const { destination, read } = makeSink();
    const log = makeLog({ level: 'info', format, colorize: false, destination });
    log.info({ name: HOSTILE, deep: { [HOSTILE.slice(0, 5)]: [HOSTILE] } }, HOSTILE);
    log.error({ err: new Error(HOSTILE, { cause: new Error(HOSTILE) }) }, 'failed');
    const text = read();
    expect(text).toContain('all is well');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern searches for control characters.
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e\u2066\u200f]/);
    expect(text.split('\n').filter((line) => line.startsWith('[12:00:00]'))).toEqual([]);
    expect(
      text.split('\n').filter((line) => line.startsWith('{') || line.startsWith('[')).length,
    ).toBeLessThanOrEqual(2);
  }
});

test('secrets are removed by their form and by their value', () => {
  const { secrets } = parseConfig(
    {
      FIXATIVE_ROOT_TOKEN: ROOT_TOKEN,
      FAL_KEY: 'like://an-address',
      OPENAI_API_KEY: 'plain-provider-key-1',
      SIGNING_KEYS: 'signing-key-of-sixteen',
      AUTH_JWT_SECRET: 'plain-secret-that-signs-what-lets-in',
      GITHUB_TOKEN: 'plain-github-token',
      DATABASE_URL: 'postgresql://user:p%40ssword-1@host/db',
    },
    '/',
  );
  const leaks = [
    ROOT_TOKEN,
    'plain-provider-key-1',
    'signing-key-of-sixteen',
    'plain-secret-that-signs-what-lets-in',
    'plain-github-token',
    'like://an-address',
    'p@ssword-1',
    'Authorization: Bearer abcdefghijklmnop',
    `fx_${'a'.repeat(43)}`,
    `sk-${'b'.repeat(40)}`,
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl',
    'http://x/uploads/1?expires=5&signature=c2VjcmV0LXNpZ25hdHVyZQ',
    'https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAX&X-Amz-Signature=deadbeefdeadbeef',
    'cookie: fixative_session=1234.macmacmac',
    'postgresql://user:hunter22@host/db',
  ];
  for (const format of ['text', 'json'] as const) {
    const { destination, read } = makeSink();
    const log = makeLog({ level: 'info', format, colorize: false, destination, secrets });
    for (const leak of leaks) {
      log.info({ headers: { leak }, err: new Error(leak, { cause: new Error(leak) }) }, leak);
    }
    for (const secret of [
      ...secrets,
      'abcdefghijklmnop',
      'aaaaaaaaaaaaaaaa',
      'bbbbbbbbbbbbbbbb',
      'c2lnbmF0dXJl',
      'c2VjcmV0',
      'AKIAX',
      'deadbeef',
      'macmacmac',
      'hunter22',
    ])
      expect(read()).not.toContain(secret);
    expect(read()).toContain('/uploads/1?expires=5&signature=…');
  }
});

test('logs and errors of a running server have no token, key or signed URL', async () => {
  const { destination, read } = makeSink();
  const key = 'plain-provider-key-1';
  const log = makeLog({
    level: 'trace',
    format: 'json',
    colorize: false,
    destination,
    secrets: [ROOT_TOKEN, key],
  });
  const app = await openTestApp({ OPENAI_API_KEY: key, OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' }, { log });
  const answers: string[] = [];
  const ask = async (query: string, variables: object = {}, headers: Record<string, string> = {}) => {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    answers.push(await response.text());
    return answers.at(-1) as string;
  };
  const target = JSON.parse(
    await ask(print(CreateUploadTargetDocument), {
      input: { filename: 'a.png', mimeType: 'image/png', bytes: 10 },
    }),
  ).data.createUploadTarget.target;
  answers.pop();
  const address = new URL(target.url);
  const signature = address.searchParams.get('signature') as string;
  expect(signature).toBeTruthy();
  // Requests that are rejected, and then a database that fails: unexpected errors are logged with all
  // details.
  for (const path of [`${address.pathname}${address.search}x`, `${address.pathname}${address.search}`])
    answers.push(await (await app.fetch(path, { method: 'PUT', body: 'not ten' })).text());
  await ask(
    'mutation($i:GenerateImageInput!){generateImage(input:$i){images{error{message}} userErrors{message}}}',
    {
      i: { prompt: 'x', model: 'gpt-image-1', waitSeconds: 2 },
    },
  );
  await ask('{ stores { name } }', {}, { authorization: `Bearer ${ROOT_TOKEN}x` });
  const { database } = app.services;
  const query = database.query.bind(database);
  (database as { query: unknown }).query = async () => {
    throw new Error(`broken: ${ROOT_TOKEN} ${key} ${target.url}`);
  };
  try {
    await ask('{ images { totalCount } }');
    answers.push(await (await app.fetch('/api/images/generated')).text());
  } finally {
    (database as { query: unknown }).query = query;
  }
  await app.close();
  expect(read()).toContain('broken');
  for (const text of [read(), ...answers])
    for (const secret of [ROOT_TOKEN, key, signature]) expect(text).not.toContain(secret);
});
