import { describe, expect, test } from 'vitest';
import { firstWords, titleOf } from '../../src/web/design/title.ts';
import { sizeOfVariant, toHtml, toMarkdown } from '../../src/web/image/addresses/markup.ts';
import { seedOf } from '../../src/web/image/details/facts.ts';
import { toJson } from '../../src/web/image/details/json.ts';
import { parseMetadata } from '../../src/web/image/edit/parse-metadata.ts';
import { type FamilyNode, familyOf, isAlone } from '../../src/web/image/family/family-tree.ts';
import { makeRandom } from './random.ts';

describe('the title of an image', () => {
  test('is the first words of the prompt, else the name of the file', () => {
    expect(titleOf({ tool: 'avatar', prompt: ' A red\n fox ' })).toBe('A red fox');
    expect(
      titleOf({ tool: 'avatar', prompt: '', originalFilename: 'übersicht.png', filename: 'a-1.png' }),
    ).toBe('übersicht.png');
    expect(titleOf({ tool: 'avatar', prompt: ' ', filename: 'a-1.png' })).toBe('a-1.png');
    expect(titleOf({ tool: 'avatar', prompt: '' })).toBe('Image by avatar');
    const long = 'A lighthouse above a stormy sea, painted in gouache, with boats and lanterns';
    expect(titleOf({ tool: 'avatar', prompt: long })).toBe(
      'A lighthouse above a stormy sea, painted in gouache, with …',
    );
  });

  test('never exceeds its length, and never splits a character', () => {
    const random = makeRandom(18);
    for (let round = 0; round < 2000; round++) {
      const pieces = Array.from({ length: random.integer(12) }, () =>
        random.pick(['fox', ' ', 'mountain', '🦊', ', ']),
      );
      const text = pieces.join('').trim();
      const length = 1 + random.integer(20);
      const cut = firstWords(text, length);
      if (text.length <= length) expect(cut).toBe(text);
      else {
        const kept = cut.replace(/ …$/, '');
        expect([...kept].length).toBeLessThanOrEqual(length);
        expect(text.startsWith(kept)).toBe(true);
        expect(cut.isWellFormed()).toBe(true);
      }
    }
  });
});

interface Member {
  readonly id: string;
}
const member = (id: string) => ({ id });

describe('the family', () => {
  const alone = { id: 'x', parent: null, whole: null, parts: [], references: [], edits: [] };
  const ids = (nodes: readonly FamilyNode<Member>[]): unknown[] =>
    nodes.map(({ member: { id }, kinship, children }) => [`${kinship} ${id}`, ...ids(children)]);

  test('leads from the oldest ancestor over the image to its parts and edits', () => {
    const image = {
      ...alone,
      parent: { id: 'p', parent: { id: 'g', parent: null } },
      parts: [member('part-1')],
      edits: [{ id: 'e', edits: [member('ee')] }, { id: 'f' }],
    };
    expect(ids(familyOf<Member>(image))).toEqual([
      ['parent g', ['parent p', ['here x', ['part part-1'], ['edit e', ['edit ee']], ['edit f']]]],
    ]);
  });

  test('shows a part below its whole, and each reference once', () => {
    const image = {
      ...alone,
      whole: member('w'),
      parent: { id: 'p' },
      references: [member('p'), member('r')],
    };
    expect(ids(familyOf<Member>(image))).toEqual([['parent p', ['whole w', ['here x']]], ['reference r']]);
  });

  test('is the image alone when it has no relatives', () => {
    expect(isAlone(familyOf<Member>(alone))).toBe(true);
    expect(isAlone(familyOf<Member>({ ...alone, parts: [member('a')] }))).toBe(false);
    expect(isAlone(familyOf<Member>({ ...alone, references: [member('a')] }))).toBe(false);
  });
});

describe('markup to copy', () => {
  test('escapes the prompt in HTML and in Markdown', () => {
    const shown = { url: 'https://a.test/images/1/x.png?a=1&b=(2)', alt: 'A "fox" <b> &\n[link](x) *y*' };
    expect(toHtml({ ...shown, width: 768, height: 512 })).toBe(
      '<img src="https://a.test/images/1/x.png?a=1&amp;b=(2)" width="768" height="512" ' +
        'alt="A &quot;fox&quot; &lt;b&gt; &amp; [link](x) *y*">',
    );
    expect(toHtml({ ...shown, width: null, height: null })).not.toContain('width');
    expect(toMarkdown(shown)).toBe(
      '![A "fox" \\<b> \\& \\[link\\](x) \\*y\\*](https://a.test/images/1/x.png?a=1&b=%282%29)',
    );
  });

  test('knows the size of a variant, which is never larger than the original', () => {
    const original = { width: 1536, height: 1024 };
    expect(sizeOfVariant(original, 640)).toEqual({ width: 640, height: 427 });
    expect(sizeOfVariant(original, 2048)).toEqual(original);
    expect(sizeOfVariant(original, null)).toEqual(original);
    expect(sizeOfVariant({ width: 4000, height: 3 }, 64)).toEqual({ width: 64, height: 1 });
  });
});

test('metadata must be a JSON object or empty', () => {
  expect(parseMetadata('{"a": [1]}')).toEqual({ value: { a: [1] } });
  expect(parseMetadata(' \n')).toEqual({ value: null });
  expect(parseMetadata('[1]')).toEqual({ fault: expect.stringContaining('not an object') });
  expect(parseMetadata('null')).toEqual({ fault: expect.stringContaining('not an object') });
  expect(parseMetadata('{"a": }')).toEqual({ fault: expect.stringContaining('not JSON: Unexpected token') });
});

test('the seed is what the provider said, else what the file says', () => {
  const provenance = { seed: '7' } as Parameters<typeof seedOf>[0]['provenance'];
  expect(seedOf({ metadata: { provider: { seed: 42 } }, provenance })).toBe('42');
  expect(seedOf({ metadata: { provider: null }, provenance })).toBe('7');
  expect(seedOf({ metadata: null, provenance: null })).toBe(null);
});

test('JSON to copy has no names of types', () => {
  expect(JSON.parse(toJson({ __typename: 'Image', error: { __typename: 'ImageError', code: 'X' } }))).toEqual(
    {
      error: { code: 'X' },
    },
  );
});
