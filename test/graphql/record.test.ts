import { print } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listener, listen } from '../fetch/fetching.ts';
import { RecordImageDocument, type RecordImageMutation } from '../generated/graphql.ts';
import { openTestApp, type Succeeded, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';

const SAID = {
  tool: 'acme.poster/v2',
  prompt: 'a poster',
  revisedPrompt: 'a poster, revised',
  model: 'acme-1',
  provider: 'acme',
  size: '1024x1024',
  quality: 'best',
  style: 'loud',
  n: 4,
  createdAt: '2025-02-03T04:05:06.789Z',
  userId: 'ann',
  username: 'Ann',
  requestId: 'r1',
  messageId: 'm1',
  tags: ['poster'],
  metadata: { job: 7 },
};

describe('recordImage', () => {
  let app: TestApp;
  let source: Listener;
  let at: (path: string) => string;
  beforeAll(async () => {
    const picture = await makePicture({ seed: 71 });
    source = await listen((request, response) => {
      if (request.url?.startsWith('/poster')) response.end(picture);
      else response.writeHead(403).end();
    });
    at = (path) => `http://localhost:${source.port}${path}`;
    app = await openTestApp({ ALLOW_PRIVATE_SOURCES: 'localhost', FETCH_TIMEOUT_SECONDS: '5' });
  });
  afterAll(async () => {
    await app.close();
    await source.close();
  });
  const record = async (input: Record<string, unknown> & { tool: string }) =>
    (await app.ask(RecordImageDocument, { input })).recordImage;
  async function send(content: Uint8Array | string, input: Record<string, unknown>) {
    const body = uploadForm({ content, name: 'sent.png' }, input, print(RecordImageDocument));
    const response = await app.fetch('/graphql', { method: 'POST', body });
    return ((await response.json()) as { data: Succeeded<RecordImageMutation> }).data.recordImage;
  }

  test('fetches what another service made, and keeps all that it says of it', async () => {
    const { image, userErrors } = await record({ ...SAID, url: at('/poster.png?sig=1') });
    expect(userErrors).toEqual([]);
    expect(image).toMatchObject({
      ...SAID,
      origin: 'RECORDED',
      status: 'SUCCESS',
      originalUrl: at('/poster.png?sig=1'),
      filename: expect.stringMatching(/^poster-.*\.png$/),
    });
    const bytes = await app.fetch(new URL(image?.url ?? '').pathname);
    expect(Buffer.from(await bytes.arrayBuffer()).equals(await makePicture({ seed: 71 }))).toBe(true);
  });

  test('takes a file, with no more said than its tool', async () => {
    const before = Date.now();
    const { image } = await send(await makePicture({ seed: 72 }), { tool: 'plain' });
    expect(image).toMatchObject({
      ...{ tool: 'plain', origin: 'RECORDED', userId: 'root', n: 1, provider: null, originalUrl: null },
      filename: expect.stringMatching(/^sent-.*\.png$/),
    });
    expect(new Date(image?.createdAt ?? 0).getTime()).toBeGreaterThanOrEqual(before - 1000);
    const named = await send(await makePicture({ seed: 73 }), {
      tool: 'plain',
      filename: 'my name',
      originalUrl: 'https://provider.example/gone',
    });
    expect(named.image).toMatchObject({
      originalUrl: 'https://provider.example/gone',
      filename: expect.stringMatching(/^my-name-/),
    });
  });

  test('says what becomes of bytes that the user has', async () => {
    const url = at('/poster.png');
    const first = await record({ tool: 'a', url, userId: 'twice' });
    const again = await record({ tool: 'a', url, userId: 'twice', onDuplicate: 'REUSE' });
    expect(again.image?.id).toBe(first.image?.id);
    const refused = await record({ tool: 'a', url, userId: 'twice', onDuplicate: 'ERROR' });
    expect(refused).toMatchObject({ image: null, userErrors: [{ __typename: 'DuplicateError' }] });
  });

  test.each<[string, Record<string, unknown>, string, string[]]>([
    ['neither url nor file', {}, 'INVALID_INPUT', ['input', 'url']],
    ['an empty tool', { url: 'x', tool: ' ' }, 'INVALID_INPUT', ['input', 'tool']],
    ['n of 0', { url: 'x', n: 0 }, 'INVALID_INPUT', ['input', 'n']],
    ['a size too long', { url: 'x', size: 'x'.repeat(21) }, 'INVALID_INPUT', ['input', 'size']],
    [
      'a time to come',
      { url: 'x', createdAt: '2999-01-01T00:00:00Z' },
      'INVALID_INPUT',
      ['input', 'createdAt'],
    ],
    [
      'a time before all',
      { url: 'x', createdAt: '0000-01-01T00:00:00Z' },
      'INVALID_INPUT',
      ['input', 'createdAt'],
    ],
    ['NUL in a name', { url: 'x', provider: 'a\0' }, 'INVALID_INPUT', ['input', 'provider']],
    ['an address that is none', { url: 'x' }, 'INVALID_INPUT', ['input', 'url']],
    ['an address inside', { url: 'http://127.0.0.1/a.png' }, 'SOURCE_FORBIDDEN', ['input', 'url']],
  ])('refuses %s, and records nothing', async (_name, input, code, path) => {
    const { image, userErrors } = await record({ tool: 't', userId: 'nobody', ...input });
    expect([image, userErrors]).toMatchObject([null, [{ code, path }]]);
    expect(await app.database.prisma.image.count({ where: { userId: 'nobody' } })).toBe(0);
  });

  test('refuses what it is sent for the bytes alone, and both ways at once', async () => {
    const said = { tool: 't', userId: 'nobody' };
    expect((await send('<html>', said)).userErrors).toMatchObject([{ code: 'UNSUPPORTED_TYPE' }]);
    const both = await send(await makePicture({ seed: 74 }), { ...said, url: at('/poster.png') });
    expect(both.userErrors).toMatchObject([{ code: 'INVALID_INPUT', path: ['input', 'url'] }]);
    const gone = await record({ ...said, url: at('/gone') });
    expect(gone.userErrors).toMatchObject([{ code: 'SOURCE_FAILED' }]);
    expect(await app.database.prisma.image.count({ where: { userId: 'nobody' } })).toBe(0);
  });
});
