import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { multipartOf } from '../../src/web/client/multipart.ts';
import type { AddFaultFragment } from '../../src/web/generated/graphql.ts';
import { addressesOf, nameOfAddress } from '../../src/web/upload/addresses.ts';
import { HEAD_BYTES, typeOf } from '../../src/web/upload/file-type.ts';
import { DEFAULT_OPTIONS } from '../../src/web/upload/options.ts';
import { isOwnImage, outcomeOf, unanswered } from '../../src/web/upload/outcome.ts';
import { makeRunner } from '../../src/web/upload/runner.ts';

const image = { id: '1', uuid: 'u1', requestId: 'batch', originalFilename: 'a.png', bytes: 5 };
const fault = (code: string, more: object = {}) =>
  ({ __typename: 'InputError', code, message: `about ${code}`, path: [], ...more }) as AddFaultFragment;
const outcome = (userErrors: AddFaultFragment[], errors: { code: string; message: string }[] = []) =>
  outcomeOf({ errors, retryAfterSeconds: null }, { image: null, userErrors }, 'batch');

describe('the outcome of an upload', () => {
  test('tells a new image from one that existed', () => {
    const stored = (requestId: string) =>
      outcomeOf(
        { errors: [], retryAfterSeconds: null },
        { image: { ...image, requestId }, userErrors: [] },
        'batch',
      );
    expect(stored('batch')).toEqual({ type: 'stored', image: 'u1', isNew: true });
    expect(stored('other')).toEqual({ type: 'stored', image: 'u1', isNew: false });
  });

  test('leads to the existing image of a duplicate', () => {
    const duplicate = fault('DUPLICATE', { __typename: 'DuplicateError', image });
    expect(outcome([duplicate])).toEqual({ type: 'refused', problem: 'about DUPLICATE', image: 'u1' });
    expect(isOwnImage(image, { requestId: 'batch', name: 'a.png' })).toBe(true);
    expect(isOwnImage(image, { requestId: 'batch', name: 'b.png' })).toBe(false);
    expect(isOwnImage(image, { requestId: 'other', name: 'a.png' })).toBe(false);
  });

  test('repeats what may pass, refuses what will not, and stops where all would fail', () => {
    const overloaded = fault('OVERLOADED', { __typename: 'OverloadedError', retryAfterSeconds: 2 });
    expect(outcome([overloaded])).toMatchObject({ type: 'failed', wait: 2000, isUncertain: false });
    expect(outcome([fault('STORE_UNAVAILABLE')])).toMatchObject({ type: 'failed', wait: null });
    expect(outcome([fault('DAMAGED_IMAGE')])).toMatchObject({ type: 'refused' });
    expect(outcome([fault('QUOTA_EXCEEDED')])).toMatchObject({ type: 'stopped' });
    expect(outcome([], [{ code: 'UNAUTHENTICATED', message: 'no' }])).toMatchObject({ type: 'stopped' });
    expect(outcome([], [{ code: 'TIMED_OUT', message: 'late' }])).toMatchObject({ isUncertain: true });
    const limited = outcomeOf(
      { errors: [{ code: 'RATE_LIMITED', message: 'slow' }], retryAfterSeconds: 9 },
      null,
      'batch',
    );
    expect(limited).toMatchObject({ type: 'failed', wait: 9000 });
    expect(unanswered()).toMatchObject({ type: 'failed', isUncertain: true });
  });
});

test('a queue tells the next attempt that the image may exist, and aborts what is cancelled', async () => {
  const seen: [string, boolean][] = [];
  let aborted = 0;
  const timers: (() => void)[] = [];
  const clock = { now: () => 0, random: () => 0, setTimeout: (each: () => void) => timers.push(each) };
  const runner = makeRunner(async ({ name }, { isRepeat, signal }) => {
    seen.push([name, isRepeat]);
    if (name === 'hangs')
      await new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          aborted += 1;
          resolve(null);
        }),
      );
    return isRepeat ? { type: 'stored', image: 'u', isNew: true } : { ...unanswered(), wait: -1 };
  }, clock);
  const item = {
    content: 'https://a.test/',
    bytes: null,
    options: DEFAULT_OPTIONS,
    requestId: 'batch',
    refusal: null,
  };
  runner.add([
    { ...item, name: 'lost' },
    { ...item, name: 'hangs' },
  ]);
  await vi.waitFor(() => expect(runner.queue.get().items[0]?.state).toBe('stored'));
  expect(seen.filter(([name]) => name === 'lost')).toEqual([
    ['lost', false],
    ['lost', true],
  ]);
  expect(runner.queue.get().items.map(({ state }) => state)).toEqual(['stored', 'sending']);
  runner.dispatch({ type: 'cancel', id: 1 });
  await vi.waitFor(() => expect(aborted).toBe(1));
  expect(runner.queue.get().items[1]?.state).toBe('cancelled');
});

test('the first bytes tell the type of a file', async () => {
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } });
  for (const [format, name] of [
    ['png', 'PNG'],
    ['jpeg', 'JPEG'],
    ['webp', 'WebP'],
    ['gif', 'GIF'],
    ['avif', 'AVIF'],
  ] as const) {
    const bytes = await picture.clone().toFormat(format).toBuffer();
    expect(typeOf(bytes.subarray(0, HEAD_BYTES))).toEqual({ name, isSupported: true });
  }
  const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1');
  expect(typeOf(heic)).toEqual({ name: 'HEIC', isSupported: false });
  expect(typeOf(await readFile(new URL('../../src/web/logo.svg', import.meta.url)))).toMatchObject({
    name: 'SVG',
  });
  expect(typeOf(Buffer.from('hello'))).toBeNull();
});

test('addresses are read one a line', () => {
  const { urls, wrong } = addressesOf(
    ' https://a.test/x.png\r\n\nfile:///etc/passwd\nhttps://a.test/x.png\nhttp://b.test',
  );
  expect(urls).toEqual(['https://a.test/x.png', 'http://b.test']);
  expect(wrong).toEqual(['file:///etc/passwd']);
  expect(nameOfAddress('https://a.test/some/caf%C3%A9.png?x=1')).toBe('café.png');
  expect(nameOfAddress('https://a.test/%ff')).toBe('%ff');
  expect(nameOfAddress('https://a.test/')).toBe('a.test');
});

test('files leave the variables, and the map says where they were', () => {
  const file = new Blob(['a']);
  const { variables, map, files } = multipartOf({ input: { file, more: [{ file }, { id: 3 }], text: 'x' } });
  expect(variables).toEqual({ input: { file: null, more: [{ file: null }, { id: 3 }], text: 'x' } });
  expect(map).toEqual({ 0: ['variables.input.file'], 1: ['variables.input.more.0.file'] });
  expect(files).toHaveLength(2);
});
