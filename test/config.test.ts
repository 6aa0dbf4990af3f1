import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseConfig } from '../src/config.ts';

test('has a default for every setting', () => {
  expect(parseConfig({}, '/srv')).toMatchObject({
    host: '127.0.0.1',
    port: 4000,
    publicUrl: null,
    dataDirectory: '/srv/data',
    databaseUrl: null,
    stores: ['filesystem', 'database'],
    requiredStores: ['filesystem', 'database'],
    imageDirectory: '/srv/data/images',
    maxUploadBytes: 50 * 1024 * 1024,
    maxImagePixels: 100_000_000,
    rootToken: null,
    openai: null,
  });
});

test('is frozen', () => {
  expect(Object.isFrozen(parseConfig({}, '/srv'))).toBe(true);
});

test('takes a variable that is set to nothing as not set', () => {
  expect(parseConfig({ PORT: '', STORES: ' ' }, '/srv')).toMatchObject({
    port: 4000,
    stores: ['filesystem', 'database'],
  });
});

test('keeps the order of STORES', () => {
  const config = parseConfig({ STORES: 'database, filesystem', REQUIRED_STORES: 'filesystem' }, '/srv');
  expect([config.stores, config.requiredStores]).toEqual([['database', 'filesystem'], ['filesystem']]);
});

test.each([
  ['50 MiB', 52_428_800],
  ['1.5 KiB', 1536],
  ['2GB', 2_000_000_000],
  ['123', 123],
])('reads %s as %i bytes', (text, bytes) => {
  expect(parseConfig({ MAX_UPLOAD_BYTES: text }, '/srv').maxUploadBytes).toBe(bytes);
});

test('reports every bad variable at once, with what is allowed', () => {
  const bad = {
    PORT: '70000',
    STORES: 'filesystem,tape',
    DATABASE_URL: 'mysql://x',
    MAX_UPLOAD_BYTES: 'many',
    FIXATIVE_ROOT_TOKEN: 'short',
    PUBLIC_URL: 'ftp://x',
    LOG_LEVEL: 'loud',
  };
  const message = (() => {
    try {
      parseConfig(bad, '/srv');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  for (const name of Object.keys(bad)) expect(message).toContain(`${name}: expected `);
  expect(message).toContain('a whole number from 0 to 65535');
  expect(message).toContain('filesystem, database');
  expect(message).not.toContain('short');
});

test('refuses a required store that is not a store', () => {
  expect(() => parseConfig({ STORES: 'filesystem', REQUIRED_STORES: 'database' }, '/srv')).toThrow(
    /REQUIRED_STORES/,
  );
});

test('explains every setting in .env.example', async () => {
  const example = await readFile(fileURLToPath(new URL('../.env.example', import.meta.url)), 'utf8');
  const source = await readFile(fileURLToPath(new URL('../src/config.ts', import.meta.url)), 'utf8');
  const names = [...source.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name ?? '');
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) expect(example).toMatch(new RegExp(`^#?${name}=`, 'm'));
});
