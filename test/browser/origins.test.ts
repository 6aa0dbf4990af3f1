import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './chromium.ts';

interface Given {
  readonly url: string;
  readonly token: string;
  readonly bytes: string;
  readonly publicUrl: string;
  readonly privateUrl: string;
  readonly signedUrl: string;
}

/** Requests of a front end from its own origin; runs in the page. Each returns its response or its error. */
async function useServer(given: Given): Promise<Record<string, unknown>> {
  const { url, token, bytes, publicUrl, privateUrl, signedUrl } = given;
  const graphql = `${url}/graphql`;
  const authorization = `Bearer ${token}`;
  const json = { authorization, 'content-type': 'application/json' };
  const picture = () => new Blob([Uint8Array.from(atob(bytes), (byte) => byte.charCodeAt(0))]);
  const ask = async (query: string, variables = {}) => {
    const body = JSON.stringify({ query, variables });
    return (await fetch(graphql, { method: 'POST', headers: json, body })).json();
  };
  const pixel = (source: string) =>
    new Promise((resolve, reject) => {
      const image = new Image();
      image.crossOrigin = 'anonymous';
      image.onerror = () => reject(new Error('the image failed'));
      image.onload = () => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 1;
        const context = canvas.getContext('2d');
        context?.drawImage(image, 0, 0);
        resolve(context?.getImageData(0, 0, 1, 1).data[3]);
      };
      image.src = source;
    });
  const subscribe = async () => {
    const ending = new AbortController();
    const response = await fetch(graphql, {
      method: 'POST',
      headers: { ...json, accept: 'text/event-stream', 'last-event-id': 'none' },
      body: JSON.stringify({ query: 'subscription { imagesUpdated { prompt } }' }),
      signal: ending.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    await ask(
      'mutation { generateImage(input: { prompt: "seen from afar", model: "sample", size: "64x64" }) { userErrors { message } } }',
    );
    let text = '';
    while (reader && !text.includes('seen from afar')) text += (await reader.read()).value ?? '';
    ending.abort();
    return text.includes('event: next');
  };
  const things: Record<string, () => Promise<unknown>> = {
    query: () => ask('{ __typename }').then(({ data }) => data.__typename),
    'query with credentials': () =>
      fetch(graphql, {
        method: 'POST',
        headers: json,
        body: '{"query":"{__typename}"}',
        credentials: 'include',
      }).then((response) => response.status),
    'query by GET': () =>
      fetch(`${graphql}?query={__typename}`, {
        headers: { authorization, 'graphql-require-preflight': '1' },
      }).then((response) => response.status),
    'an error': () =>
      fetch(graphql, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }).then(
        (response) => response.status,
      ),
    upload: async () => {
      const form = new FormData();
      const query =
        'mutation ($file: Upload!) { uploadImage(input: { file: $file }) { image { status } userErrors { message } } }';
      form.append('operations', JSON.stringify({ query, variables: { file: null } }));
      form.append('map', '{"0":["variables.file"]}');
      form.append('0', picture(), 'a.png');
      const response = await fetch(graphql, { method: 'POST', headers: { authorization }, body: form });
      return (await response.json()).data.uploadImage.image.status;
    },
    'upload target': async () => {
      const file = picture();
      const { data } = await ask(
        `mutation { createUploadTarget(input: { filename: "a.png", mimeType: "image/png", bytes: ${file.size} }) { target { url } } }`,
      );
      const { url: target } = data.createUploadTarget.target;
      const headers = { 'content-type': 'image/png' };
      return (await fetch(target, { method: 'PUT', headers, body: file })).status;
    },
    list: () =>
      fetch(`${url}/api/images/generated`, { headers: { authorization } }).then(
        (response) => response.status,
      ),
    subscription: subscribe,
    'image on a canvas': () => pixel(publicUrl),
    'signed image on a canvas': () => pixel(signedUrl),
    'private image': () =>
      fetch(privateUrl, { headers: { authorization } }).then((response) => response.status),
    'hash of an image': () =>
      fetch(publicUrl, { cache: 'no-store' }).then((response) => response.headers.get('etag')?.length),
    'part of an image': () =>
      fetch(publicUrl, { cache: 'no-store', headers: { range: 'bytes=0-3', 'if-range': '"none"' } }).then(
        (response) => response.status,
      ),
  };
  const outcomes: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(things))
    outcomes[name] = await run().catch((error: Error) => `${error.name}: ${error.message}`);
  return outcomes;
}

/** Skipped on PostgreSQL, where a browser sees no difference. */
describe.skipIf(!CHROMIUM || process.env.TEST_DATABASE_URL)('a page of another origin', () => {
  let pages: Server;
  let opened: TestBrowser;
  const apps: TestApp[] = [];
  beforeAll(async () => {
    pages = createServer((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>A front end</title>');
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    opened = await openBrowser();
  });
  afterAll(async () => {
    await opened?.close();
    pages?.close();
    for (const app of apps) await app.close();
  });

  /** localhost is another site than 127.0.0.1; another port of it is the same site. */
  const origin = (host: '127.0.0.1' | 'localhost') =>
    `http://${host}:${(pages.address() as AddressInfo).port}`;

  async function open(settings: Record<string, string>): Promise<TestApp> {
    const app = await openTestApp(settings);
    apps.push(app);
    return app;
  }

  async function given(app: TestApp): Promise<Given> {
    const keep = async (seed: number, visibility: 'PUBLIC' | 'PRIVATE') =>
      (await upload(app, { content: await makePicture({ seed }) }, { visibility })).image;
    const [open, hidden] = [await keep(72_000, 'PUBLIC'), await keep(72_001, 'PRIVATE')];
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'query ($id: ID!) { image(id: $id) { url(expiresInSeconds: 600) } }',
        variables: { id: hidden?.id },
      }),
    });
    const { data } = (await response.json()) as { data: { image: { url: string } } };
    return {
      url: app.url,
      token: ROOT_TOKEN,
      bytes: (await makePicture({ seed: 72_002 })).toString('base64'),
      publicUrl: open?.url ?? '',
      privateUrl: hidden?.url ?? '',
      signedUrl: data.image.url,
    };
  }

  async function pageAt(address: string): Promise<Page> {
    const page = await opened.browser.newPage();
    await page.goto(address);
    return page;
  }

  const works = {
    query: 'Query',
    'query with credentials': 200,
    'query by GET': 200,
    'an error': 401,
    upload: 'SUCCESS',
    'upload target': 200,
    list: 200,
    subscription: true,
    'image on a canvas': 255,
    'signed image on a canvas': 255,
    'private image': 200,
    'hash of an image': 66,
    'part of an image': 200,
  };

  test.each(['127.0.0.1', 'localhost'] as const)(
    'that is listed does all that a page of ours does, from %s',
    async (host) => {
      const app = await open({ CORS_ORIGINS: `https://app.example.com,${origin(host)}` });
      const page = await pageAt(origin(host));
      expect(await page.evaluate(useServer, await given(app))).toEqual(works);
    },
  );

  test('does the same where every origin may, without credentials', async () => {
    const app = await open({});
    const page = await pageAt(origin('localhost'));
    expect(await page.evaluate(useServer, await given(app))).toEqual({
      ...works,
      'query with credentials': 'TypeError: Failed to fetch',
    });
  });

  test.each(['https://app.example.com', 'none'])(
    'is let in nowhere where CORS_ORIGINS is %s',
    async (origins) => {
      const app = await open({ CORS_ORIGINS: origins });
      // A session of the visitor does not help, although the browser sends its cookie to every port of the
      // host.
      const login = await opened.browser.newPage();
      await login.goto(`${app.url}/login?code=${app.authenticator.loginCode}`);
      for (const host of ['127.0.0.1', 'localhost'] as const) {
        const page = await pageAt(origin(host));
        const outcomes = await page.evaluate(useServer, await given(app));
        for (const [name, outcome] of Object.entries(outcomes))
          expect(outcome, name).toMatch(/^TypeError: Failed to fetch$|^Error: the image failed$/);
      }
    },
  );

  test('learns nothing by the session of its visitor where every origin may', async () => {
    const app = await open({});
    const login = await opened.browser.newPage();
    await login.goto(`${app.url}/login?code=${app.authenticator.loginCode}`);
    const page = await pageAt(origin('127.0.0.1'));
    const { privateUrl, url } = await given(app);
    const outcomes = await page.evaluate(
      async ({ privateUrl, url }) => {
        const read = (address: string, init: RequestInit) =>
          fetch(address, init).then(
            ({ status }) => status,
            () => 'failed',
          );
        const shown = await new Promise((resolve) => {
          const image = new Image();
          image.onload = () => resolve('shown');
          image.onerror = () => resolve('failed');
          image.src = privateUrl;
        });
        return [
          await read(privateUrl, { credentials: 'include' }),
          await read(privateUrl, {}),
          await read(`${url}/graphql?query={__typename}`, { credentials: 'include' }),
          await read(`${url}/api/images/generated`, { credentials: 'include' }),
          shown,
        ];
      },
      { privateUrl, url },
    );
    expect(outcomes).toEqual(['failed', 404, 'failed', 'failed', 'failed']);
    // From a page of this server it works.
    const own = await pageAt(`${app.url}/health`);
    expect(await own.evaluate((address) => fetch(address).then(({ status }) => status), privateUrl)).toBe(
      200,
    );
  });
});
