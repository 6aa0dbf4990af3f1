import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listener, listen } from '../fetch/fetching.ts';
import { ImportImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';

const EXPIRED = 'se=2020-01-01T00%3A00%3A00Z&sig=secret';

describe('importImage', () => {
  let app: TestApp;
  let source: Listener;
  let at: (path: string) => string;
  beforeAll(async () => {
    const picture = await makePicture({ seed: 7 });
    const large = Buffer.alloc(200_000, 1);
    source = await listen((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://a');
      if (pathname.endsWith('.png')) response.writeHead(200, { 'content-type': 'text/plain' }).end(picture);
      else if (pathname === '/page')
        response.writeHead(200, { 'content-type': 'image/png' }).end('<!doctype html><p>Not here');
      else if (pathname === '/cut') response.end(picture.subarray(0, picture.length - 30));
      else if (pathname === '/large') response.end(large);
      else if (pathname === '/away') response.writeHead(302, { location: '/fox.png' }).end();
      else if (pathname === '/inside')
        response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end();
      else if (pathname === '/busy') response.writeHead(503).end();
      else response.writeHead(403).end();
    });
    at = (path) => `http://localhost:${source.port}${path}`;
    app = await openTestApp({
      ALLOW_PRIVATE_SOURCES: 'localhost',
      FETCH_TIMEOUT_SECONDS: '5',
      MAX_UPLOAD_BYTES: '100 KiB',
    });
  });
  afterAll(async () => {
    await app.close();
    await source.close();
  });
  const rescue = async (input: { url: string } & Record<string, unknown>) =>
    (await app.ask(ImportImageDocument, { input })).importImage;

  test('keeps what is at an address, with what is said of it', async () => {
    const url = at(`/fox.png?${EXPIRED}`);
    const { image, userErrors } = await rescue({
      url,
      userId: 'importer',
      username: 'Imp',
      prompt: 'a fox',
      model: 'dall-e-3',
      tags: ['fox'],
      metadata: { from: 'afar' },
      requestId: 'r1',
      messageId: 'm1',
    });
    expect(userErrors).toEqual([]);
    expect(image).toMatchObject({
      status: 'SUCCESS',
      userId: 'importer',
      prompt: 'a fox',
      model: 'dall-e-3',
      tags: ['fox'],
      metadata: { from: 'afar' },
      mimeType: 'image/png',
      filename: expect.stringMatching(/^fox-.*\.png$/),
    });
    const row = await app.database.prisma.image.findUniqueOrThrow({
      where: { id: BigInt(image?.databaseId ?? 0) },
    });
    expect(row).toMatchObject({ origin: 'imported', originalUrl: url, toolName: 'importImage' });
    const bytes = await app.fetch(row.storageUrl);
    expect(Buffer.from(await bytes.arrayBuffer()).equals(await makePicture({ seed: 7 }))).toBe(true);
  });

  test('follows to where it is, and takes another name', async () => {
    const { image } = await rescue({ url: at('/away'), filename: 'my fox.jpg' });
    expect(image?.filename).toMatch(/^my-fox-.*\.png$/);
  });

  test('says what becomes of bytes that the user has', async () => {
    const first = await rescue({ url: at('/fox.png'), userId: 'twice' });
    const again = await rescue({ url: at('/fox.png'), userId: 'twice', onDuplicate: 'REUSE' });
    expect(again.image?.databaseId).toBe(first.image?.databaseId);
    const { image, userErrors } = await rescue({
      url: at('/fox.png'),
      userId: 'twice',
      onDuplicate: 'ERROR',
    });
    expect([image, userErrors[0]?.code]).toEqual([null, 'DUPLICATE']);
    expect((await rescue({ url: at('/fox.png'), userId: 'twice' })).image?.databaseId).not.toBe(
      first.image?.databaseId,
    );
  });

  test.each([
    [() => at(`/gone?${EXPIRED}`), 'SourceExpiredError', 'SOURCE_EXPIRED', ['input', 'url']],
    [() => at('/gone'), 'InputError', 'SOURCE_FAILED', ['input', 'url']],
    [() => at('/busy'), 'InputError', 'SOURCE_FAILED', ['input', 'url']],
    [() => at('/inside'), 'InputError', 'SOURCE_FORBIDDEN', ['input', 'url']],
    [() => `http://127.0.0.1:${source.port}/fox.png`, 'InputError', 'SOURCE_FORBIDDEN', ['input', 'url']],
    [() => 'file:///etc/passwd', 'InputError', 'SOURCE_FORBIDDEN', ['input', 'url']],
    [() => 'fox.png', 'InputError', 'INVALID_INPUT', ['input', 'url']],
    [() => '\0http://a.test', 'InputError', 'INVALID_INPUT', ['input', 'url']],
    [() => at('/page'), 'UnsupportedTypeError', 'UNSUPPORTED_TYPE', ['input', 'url']],
    [() => at('/cut'), 'InputError', 'DAMAGED_IMAGE', ['input', 'url']],
    [() => at('/large'), 'TooLargeError', 'TOO_LARGE', ['input', 'url']],
  ])('records nothing of %s', async (url, __typename, code, path) => {
    const { image, userErrors } = await rescue({ url: url(), userId: 'nobody' });
    expect(image).toBeNull();
    expect(userErrors).toMatchObject([{ __typename, code, path }]);
    expect(userErrors[0]?.message).not.toContain('secret');
    expect(await app.database.prisma.image.count({ where: { userId: 'nobody' } })).toBe(0);
  });

  test('says since when an address has expired', async () => {
    const query = `mutation { importImage(input: { url: "${at(`/gone?${EXPIRED}`)}" }) { userErrors { ... on SourceExpiredError { expiredAt } } } }`;
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    expect(await response.json()).toEqual({
      data: { importImage: { userErrors: [{ expiredAt: '2020-01-01T00:00:00.000Z' }] } },
    });
  });
});
