import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadSigningKeys, makeSigner } from '../../src/auth/signature.ts';
import { parseConfig } from '../../src/config.ts';

const OLD = 'the-old-key-of-this-server';
const NEW = 'the-new-key-of-this-server';

test('a signature is good for its text only', () => {
  const signer = makeSigner([OLD]);
  const signature = signer.sign('upload\n1\n2');
  expect(signer.verifies('upload\n1\n2', signature)).toBe(true);
  expect(signer.verifies('upload\n1\n3', signature)).toBe(false);
  for (const wrong of ['', signature.slice(1), `${signature}AA`, signature.toLowerCase(), 'ü'.repeat(43)])
    expect(signer.verifies('upload\n1\n2', wrong), wrong).toBe(false);
});

test('the first key signs and all verify, so that a key can be replaced', () => {
  const before = makeSigner([OLD]);
  const during = makeSigner([NEW, OLD]);
  const after = makeSigner([NEW]);
  expect(during.verifies('x', before.sign('x'))).toBe(true);
  expect(after.verifies('x', during.sign('x'))).toBe(true);
  expect(after.verifies('x', before.sign('x'))).toBe(false);
});

test('a key is made at the first start, kept for the next, and readable by its owner only', async () => {
  const dataDirectory = await mkdtemp(path.join(tmpdir(), 'fixative-key-'));
  try {
    const config = { signingKeys: null, dataDirectory };
    const [one, two] = await Promise.all([loadSigningKeys(config), loadSigningKeys(config)]);
    expect(one).toEqual(two);
    expect(one[0]).toHaveLength(43);
    const file = path.join(dataDirectory, 'signing-key');
    expect((await readFile(file, 'utf8')).trim()).toBe(one[0]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  } finally {
    await rm(dataDirectory, { recursive: true });
  }
});

test('keys that are configured are used as they are, and a short one is refused without being shown', () => {
  expect(parseConfig({ SIGNING_KEYS: `${NEW}, ${OLD}` }, '/srv').signingKeys).toEqual([NEW, OLD]);
  expect(() => parseConfig({ SIGNING_KEYS: `${NEW},short-key` }, '/srv')).toThrow(/SIGNING_KEYS: expected/);
  expect(() => parseConfig({ SIGNING_KEYS: `${NEW},short-key` }, '/srv')).not.toThrow(/short-key/);
});
