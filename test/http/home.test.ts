import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually, openTestApp, type TestApp } from '../harness.ts';

describe('the first page', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const ask = (accept: string, method = 'GET') =>
    app.fetch('/', { method, headers: { accept, authorization: '' } });

  test('leads a person on, and its links are answered', async () => {
    const response = await ask('text/html,application/xhtml+xml');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(response.headers.get('vary')).toContain('Accept');
    const text = await response.text();
    expect(text).toContain('The server is ready.');
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, link]) => link as string);
    expect(new Set(links)).toEqual(new Set(['/ready', '/graphql', '/login', '/health']));
    for (const link of links)
      expect((await app.fetch(link, { headers: { accept: 'text/html' } })).status, link).toBeLessThan(402);
    expect(text).not.toMatch(/<script|\d+\.\d+\.\d+|https?:/);
    expect(await (await ask('text/html', 'HEAD')).text()).toBe('');
  });

  test('names the addresses to a program', async () => {
    for (const accept of ['*/*', 'application/json', '']) {
      const response = await ask(accept);
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toEqual({
        name: 'Fixative',
        graphql: '/graphql',
        image: '/images/{uuid}',
        images: '/api/images/generated',
        health: '/health',
        ready: '/ready',
        metrics: '/metrics',
        login: '/login',
      });
    }
  });

  test('says within seconds that the server is not ready when its database is away, and asks it no more often', async () => {
    const spy = vi.spyOn(app.database, 'query').mockRejectedValue(new Error('away'));
    const isOfHome = () => spy.mock.calls.filter(([text]) => text === 'SELECT 1').length;
    await eventually(async () =>
      expect(await (await ask('text/html')).text()).toContain('The server is not ready.'),
    );
    const asked = isOfHome();
    for (let time = 0; time < 5; time++) await (await ask('text/html')).text();
    expect(isOfHome() - asked).toBeLessThan(5);
    spy.mockRestore();
  });
});

test('does not lead to GraphiQL where there is none', async () => {
  const app = await openTestApp({ GRAPHIQL: 'false' });
  const response = await app.fetch('/', { headers: { accept: 'text/html' } });
  expect(await response.text()).not.toContain('GraphiQL');
  await app.close();
});
