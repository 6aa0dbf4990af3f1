import { expect, test } from 'vitest';
import { expiryOf } from '../../src/fetch/expiry.ts';

const at = (query: string) => expiryOf(`https://store.example/a.png?${query}`)?.toISOString() ?? null;

test.each([
  // As DALL-E's answers had them.
  ['se=2026-11-21T09%3A35%3A00Z&sp=r&sv=2024-08-04&sr=b&sig=abc', '2026-11-21T09:35:00.000Z'],
  ['se=2026-11-21&sig=abc', '2026-11-21T00:00:00.000Z'],
  ['se=2026-11-21T09:35Z&sig=abc', '2026-11-21T09:35:00.000Z'],
  ['X-Amz-Date=20261121T093500Z&X-Amz-Expires=3600&X-Amz-Signature=f', '2026-11-21T10:35:00.000Z'],
  ['x-amz-date=20261121T093500Z&x-amz-expires=60', '2026-11-21T09:36:00.000Z'],
  ['X-Goog-Date=20261121T093500Z&X-Goog-Expires=604800', '2026-11-28T09:35:00.000Z'],
  ['Expires=1795253700&Signature=x&Key-Pair-Id=K', '2026-11-21T09:35:00.000Z'],
  ['AWSAccessKeyId=A&Expires=1795253700&Signature=x', '2026-11-21T09:35:00.000Z'],
])('%s expires at %s', (query, time) => {
  expect(at(query)).toBe(time);
});

test.each([
  'se=2026-11-21T09:35:00Z',
  'se=soon&sig=abc',
  'Expires=1795253700',
  'X-Amz-Date=20261399T999999Z&X-Amz-Expires=60',
  'X-Amz-Date=20261121T093500Z',
  'X-Amz-Expires=3600',
  'Expires=9999999999999&Signature=x',
  '',
])('%j has no expiry', (query) => {
  expect(at(query)).toBeNull();
});

test('an invalid address has no expiry', () => {
  expect(expiryOf('not an address')).toBeNull();
});

test('an address that is too long has no expiry, at once', () => {
  expect(at(`a=${'~exp=123456789'.repeat(30_000)}`)).toBeNull();
  expect(at('se=2026-11-21T09%3A35%3A00Z&sig=abc')).not.toBeNull();
});
