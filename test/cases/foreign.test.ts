import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SdkProvider } from '../../src/provider/ai-sdk.ts';
import { openAzureProvider } from '../../src/provider/azure.ts';
import { openOpenAiProvider } from '../../src/provider/openai.ts';
import { openOpenAiCompatibleProvider } from '../../src/provider/openai-compatible.ts';
import { openXaiProvider } from '../../src/provider/xai.ts';
import { type Listener, listen, openTestFetcher, type TestFetcher } from '../fetch/fetching.ts';
import { makePicture } from '../pictures.ts';
import { NOTHING_MORE } from '../provider/plain-request.ts';

/** Returns UTF-8 as Node writes it into a header: one character for each byte. */
const raw = (text: string) => Buffer.from(text).toString('latin1');

describe('an answer of the Images API', () => {
  let server: Listener;
  let body: string;
  const opened: SdkProvider[] = [];
  const providers: Record<string, () => { provider: SdkProvider; model: string }> = {
    openai: () => ({ provider: openOpenAiProvider({ apiKey: 'k', baseUrl: base() }), model: 'gpt-image-1' }),
    azure: () => ({
      provider: openAzureProvider({
        apiKey: 'k',
        baseUrl: base(),
        deployments: [{ name: 'pictures', follows: 'gpt-image-1' }],
      }),
      model: 'azure/pictures',
    }),
    compatible: () => ({
      provider: openOpenAiCompatibleProvider({
        apiKey: null,
        baseUrl: base(),
        offered: [{ name: 'any', follows: null }],
      }),
      model: 'any',
    }),
    xai: () => ({ provider: openXaiProvider({ apiKey: 'k', baseUrl: base() }), model: 'grok-imagine-image' }),
  };
  const base = () => `http://127.0.0.1:${server.port}/v1`;
  beforeAll(async () => {
    server = await listen((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    });
  });
  afterAll(async () => {
    await Promise.all(opened.map((provider) => provider.close()));
    await server.close();
  });

  const ADDRESS = 'https://pictures.example/fox.png?sig=x';
  const picture = async () => (await makePicture({ seed: 71_000 })).toString('base64');
  const at = { picture: { address: ADDRESS } };

  test.each(Object.keys(providers))('of %s gives its picture, wherever it stands', async (name) => {
    const made = providers[name]?.();
    if (!made) throw new Error(name);
    opened.push(made.provider);
    const base64 = await picture();
    const asBytes = { picture: { bytes: Buffer.from(base64, 'base64') } };
    const answers: [Record<string, unknown>, object][] = [
      [{ url: ADDRESS, b64_json: '' }, at],
      [{ b64_json: '', url: ADDRESS }, at],
      [{ url: ADDRESS, b64_json: null }, at],
      [{ url: ADDRESS, b64_json: '  ' }, at],
      [{ url: ADDRESS }, at],
      [{ b64_json: base64, url: '' }, asBytes],
      [{ b64_json: base64, url: null }, asBytes],
      [{ b64_json: base64, url: ADDRESS }, asBytes],
      [{ b64_json: `data:image/png;base64,${base64}` }, asBytes],
      [{ url: `data:image/png;base64,${base64}` }, asBytes],
      [{ url: `data:image/png;base64,${base64}`, b64_json: '' }, asBytes],
    ];
    for (const [first, expected] of answers) {
      for (const indent of [undefined, 2]) {
        body = JSON.stringify(
          { created: 1, data: [{ ...first, revised_prompt: 'a red fox' }] },
          null,
          indent,
        );
        const answer = await made.provider.generate(
          {
            model: made.model,
            prompt: 'a fox',
            size: '1024x1024',
            ...NOTHING_MORE,
            user: '',
          },
          new AbortController().signal,
        );
        expect(answer, `${name}: ${body.slice(0, 100)}`).toMatchObject({
          ...expected,
          revisedPrompt: 'a red fox',
        });
      }
    }
  });
});

describe('a foreign address', () => {
  let server: Listener;
  let fetcher: TestFetcher;
  let answer: Parameters<typeof listen>[0];
  const asked: string[] = [];
  beforeAll(async () => {
    server = await listen((request, response) => {
      asked.push(request.url ?? '');
      answer(request, response);
    });
    fetcher = await openTestFetcher({ allowPrivate: ['127.0.0.1'] });
  });
  beforeEach(() => {
    asked.length = 0;
  });
  afterAll(async () => {
    await fetcher.close();
    await server.close();
  });
  const tell = (path = '/') => fetcher.tell(`http://127.0.0.1:${server.port}${path}`);

  test.each([
    [raw('/bilder/füchse 1.png?größe=ü'), '/bilder/f%C3%BCchse%201.png?gr%C3%B6%C3%9Fe=%C3%BC'],
    [raw('/你好.png'), '/%E4%BD%A0%E5%A5%BD.png'],
    ['/f\xfcchse.png', '/f%FCchse.png'],
    ['/f%C3%BCchse.png', '/f%C3%BCchse.png'],
  ])('is followed to %j', async (location, expected) => {
    answer = ({ url }, response) => {
      if (url === '/') response.writeHead(302, { location }).end();
      else response.end('picture');
    };
    expect(await tell()).toMatchObject({ text: 'picture' });
    expect(asked).toEqual(['/', expected]);
  });

  test.each([
    [raw('attachment; filename="füchse.png"'), 'füchse.png'],
    [raw('attachment; filename=füchse.png'), 'füchse.png'],
    ['attachment; filename="f\xfcchse.png"', 'füchse.png'],
    ['attachment; filename="x.png"; filename*=UTF-8\'\'f%C3%BCchse.png', 'füchse.png'],
    ["attachment; filename*=iso-8859-1'de'f%FCchse.png", 'füchse.png'],
    ["attachment; filename*=UTF-8''f%FCchse.png", 'füchse.png'],
    ['attachment; filename="a \\"red\\" fox.png"', 'a "red" fox.png'],
    ['attachment', 'größe.png'],
  ])('that is answered with %j names its file %j', async (disposition, expected) => {
    answer = (_request, response) =>
      response.writeHead(200, { 'content-disposition': disposition }).end('picture');
    expect(await tell('/gr%C3%B6%C3%9Fe.png')).toMatchObject({ filename: expected });
  });

  const past = 1_700_000_000;
  const when = new Date(past * 1000).toISOString();
  const jwt = (claims: object) =>
    ['{"alg":"HS256"}', JSON.stringify(claims), 'signature']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
  const supabase =
    '{"statusCode":"400","error":"InvalidJWT","message":"\\"exp\\" claim timestamp check failed"}';
  test.each<[string, string, number, string, string | null]>([
    ['Supabase', `/sign/a.png?token=${jwt({ url: 'a.png', iat: 1, exp: past })}`, 400, supabase, when],
    ['a token that is not in the address', '/a.png', 400, supabase, null],
    ['jsonwebtoken', '/a.png?t=1', 401, '{"error":"jwt expired"}', null],
    ['PyJWT', '/a.png?t=1', 403, 'Signature has expired', null],
    ['golang-jwt', '/a.png?t=1', 401, 'token is expired by 2h', null],
    [
      'Discord',
      `/attachments/1/2/a.png?ex=${past.toString(16)}&is=65000000&hm=ab`,
      404,
      'This content is no longer available.',
      when,
    ],
    ['Meta', `/a.png?oh=00_x&oe=${past.toString(16).toUpperCase()}`, 403, 'URL signature expired', when],
    ['Akamai', `/a.png?__token__=exp=${past}~acl=/*~hmac=ab`, 403, 'Access Denied', when],
    [
      'Tencent',
      `/a.png?q-sign-time=1600000000;${past}&q-signature=x`,
      403,
      '<Code>AccessDenied</Code>',
      when,
    ],
    [
      'Alibaba',
      '/a.png?x-oss-date=20231114T211320Z&x-oss-expires=3600&x-oss-signature=x',
      403,
      '<Code>AccessDenied</Code>',
      when,
    ],
  ])('of %s that has expired is told as such', async (_name, path, status, body, expiredAt) => {
    answer = (_request, response) => response.writeHead(status).end(body);
    expect(await tell(path)).toMatchObject({
      code: 'SOURCE_EXPIRED',
      retryable: false,
      ...(expiredAt ? { expiredAt: new Date(expiredAt) } : {}),
    });
  });

  test.each([
    ['/a.png?token=abc', 400, '{"error":"InvalidJWT","message":"jwt malformed"}'],
    [`/a.png?ex=${past.toString(16)}`, 404, 'not found'],
    [`/a.png?token=${jwt({ exp: 4_000_000_000 })}`, 403, 'forbidden'],
    ['/a.png', 400, 'The size is wrong.'],
  ])('%s that is refused for another reason is not', async (path, status, body) => {
    answer = (_request, response) => response.writeHead(status).end(body);
    expect(await tell(path)).toMatchObject({ code: 'SOURCE_FAILED', retryable: false });
  });
});
