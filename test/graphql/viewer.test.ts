import { print } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import type { Scope } from '../../src/auth/caller.ts';
import { ViewerDocument, type ViewerQuery } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp({
    PUBLIC_URL: 'https://images.example.com/pictures/',
    MAX_UPLOAD_BYTES: '7 MiB',
    TRASH_DAYS: '12',
    DEFAULT_VISIBILITY: 'private',
    SIGNED_URL_MAX_SECONDS: '600',
    VARIANT_SIZES: '512,64,1024',
    GRAPHIQL: 'false',
  });
});
afterAll(() => app.close());

const viewerOf = async (userId: string | null, scopes: readonly Scope[]) => {
  const { token } = await app.services.tokens.create({ name: 'a viewer', userId, scopes });
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(ViewerDocument) }),
  });
  const { data } = (await response.json()) as { data: ViewerQuery };
  return data.viewer;
};

test('the viewer is who the token says', async () => {
  const { viewer } = await app.ask(ViewerDocument, {});
  expect(viewer).toEqual({ userId: null, defaultUserId: 'root', scopes: ['ADMIN'] });
  expect(await viewerOf('alice', ['images:read', 'stores:read'])).toEqual({
    userId: 'alice',
    defaultUserId: 'alice',
    scopes: ['IMAGES_READ', 'STORES_READ'],
  });
  expect(await viewerOf(null, ['images:write'])).toEqual({
    userId: null,
    defaultUserId: 'root',
    scopes: ['IMAGES_WRITE'],
  });
  // An admin acts for every user; its own is only the default.
  expect(await viewerOf('carol', ['admin'])).toEqual({
    userId: null,
    defaultUserId: 'carol',
    scopes: ['ADMIN'],
  });
});

test('the server tells its settings', async () => {
  const { server } = await app.ask(ViewerDocument, {});
  expect(server).toEqual({
    version: manifest.version,
    publicUrl: 'https://images.example.com/pictures',
    maxUploadBytes: 7 * 1024 * 1024,
    trashDays: 12,
    defaultVisibility: 'PRIVATE',
    maxSignedUrlSeconds: 600,
    variantWidths: [64, 512, 1024],
    graphiql: false,
  });
});
