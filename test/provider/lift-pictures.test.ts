import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { liftPictures } from '../../src/provider/lift-pictures.ts';

const picture = (bytes = 200_000) =>
  Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), randomBytes(bytes)]);
const lift = (body: unknown) =>
  liftPictures(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));

describe('pictures in a response', () => {
  test.each([0, 1, 2])('are taken out and decoded, with %i bytes beyond a group of three', (more) => {
    const bytes = picture(300_001 + more);
    const response = {
      created: 1,
      data: [{ b64_json: bytes.toString('base64'), revised_prompt: 'ein „Bär“ \\ "x"' }],
    };
    const { text, pictures } = lift(response);
    expect(text.length).toBeLessThan(300);
    const read = JSON.parse(text);
    const [[name, found] = []] = pictures;
    expect(found?.equals(bytes)).toBe(true);
    expect(read).toEqual({ created: 1, data: [{ ...response.data[0], b64_json: name }] });
    // The replacement begins like the picture, so that its type can be detected, and is base64 itself.
    const replacement = Buffer.from(name as string, 'base64');
    expect(replacement.subarray(0, 48).equals(bytes.subarray(0, 48))).toBe(true);
    expect(replacement.toString('base64')).toBe(name);
  });

  test('are distinguished, even when they begin alike', () => {
    const all = [picture(), picture(), picture()].map((bytes) => Buffer.concat([Buffer.alloc(100), bytes]));
    const { text, pictures } = lift(all.map((bytes) => bytes.toString('base64')));
    expect(JSON.parse(text).map((name: string) => pictures.get(name))).toEqual(all);
  });

  test('are found after quotes and backslashes', () => {
    const bytes = picture();
    const words = ['"', '\\', '\\"', '\\\\"', '"\\', '', 'é', '\u2028'];
    const { text, pictures } = lift({ words, [words.join()]: bytes.toString('base64') });
    const read = JSON.parse(text);
    expect(read.words).toEqual(words);
    expect(pictures.get(read[words.join()])?.equals(bytes)).toBe(true);
  });

  test('are found after a byte order mark, which is dropped', () => {
    const bytes = picture();
    const { text, pictures } = lift(`\uFEFF${JSON.stringify({ value: bytes.toString('base64') })}`);
    expect(pictures.get(JSON.parse(text).value)?.equals(bytes)).toBe(true);
  });

  const base64 = picture().toString('base64');
  test.each([
    ['is short', 'iVBORw0KGgo='],
    ['has words in it', `${base64} and more`],
    ['is an address', `data:image/png;base64,${base64}`],
    ['has padding in its middle', `${base64.slice(0, 1000)}=${base64.slice(1000)}`],
    ['has lines', base64.replaceAll(/.{76}/g, '$&\n')],
    ['has other letters', `${base64.slice(0, -4)}äöü`],
  ])('are not found in a string that %s', (_what, value) => {
    const { text, pictures } = lift({ value });
    expect(JSON.parse(text)).toEqual({ value });
    expect(pictures.size).toBe(0);
  });

  test.each([
    '',
    '"',
    '{"a":"',
    `{"a":"${base64}`,
    `{"a":"${base64}\\"`,
    'no JSON',
    `"${'\\"'.repeat(200_000)}`,
  ])('leave broken JSON unchanged', (body) => {
    expect(lift(body)).toEqual({ text: body, pictures: new Map() });
  });
});
