import { expect, test } from 'vitest';
import { parseJsonObject } from '../../src/provenance/generators/json-values.ts';
import { type Chance, compareForSeconds, makeChance } from './chance.ts';

/**
 * JSON as Python's `json.dumps` writes it, with NaN and Infinity, and the valid JSON with the same meaning.
 */
test('JSON of Python is read as the same JSON with null for what is no number', async () => {
  let objects = 0;
  await compareForSeconds((seed) => {
    const chance = makeChance(seed);
    const { python, json } = makeObject(chance, 4);
    objects++;
    expect(parseJsonObject(python), `seed ${seed}: ${python}`).toEqual(JSON.parse(json));
  }, 2);
  expect(objects).toBeGreaterThan(500);
});

interface Written {
  readonly python: string;
  readonly json: string;
}

const WORDS = [
  'NaN',
  'Infinity',
  '-Infinity',
  ', NaN',
  ': Infinity,',
  '"',
  '\\',
  '\\"',
  '[NaN]',
  'null',
  'é',
  ' ',
];

function makeValue(chance: Chance, depth: number): Written {
  if (depth > 0 && chance.of(0.3)) return makeObject(chance, depth - 1);
  if (depth > 0 && chance.of(0.3)) {
    const values = chance.many(0, 4, () => makeValue(chance, depth - 1));
    return join(chance, ['[', ']'], values);
  }
  if (chance.of(0.4)) return { python: chance.oneOf(['NaN', 'Infinity', '-Infinity']), json: 'null' };
  const text = chance.of(0.2)
    ? chance.oneOf(['1', '-2.5', 'true', 'null'])
    : JSON.stringify(chance.many(0, 6, () => chance.oneOf(WORDS)).join(''));
  return { python: text, json: text };
}

function makeObject(chance: Chance, depth: number): Written {
  const members = chance.many(0, 5, (at) => {
    const key = JSON.stringify(`${chance.oneOf(WORDS)}${at}`);
    const { python, json } = makeValue(chance, depth);
    return { python: `${key}: ${python}`, json: `${key}: ${json}` };
  });
  return join(chance, ['{', '}'], members);
}

function join(chance: Chance, [open, close]: [string, string], parts: readonly Written[]): Written {
  const comma = chance.oneOf([',', ', ', ' ,\n  ']);
  return {
    python: open + parts.map((part) => part.python).join(comma) + close,
    json: open + parts.map((part) => part.json).join(comma) + close,
  };
}
