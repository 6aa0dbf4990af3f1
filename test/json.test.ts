import { describe, expect, test } from 'vitest';
import { parseExactly } from '../src/json.ts';
import { compareForSeconds, makeChance } from './compare/chance.ts';

describe('JSON', () => {
  test.each([
    '18446744073709551615',
    '-18446744073709551615',
    '9007199254740993',
    '0.1234567890123456789',
    '{"seed":18446744073709551615,"s":"18446744073709551615","l":[1e400,1,0.5]}',
  ])('keeps the numbers of %s exactly', (text) => {
    expect(JSON.stringify(parseExactly(text))).toBe(text);
  });

  test.each([
    '1',
    '-0.5',
    '1e3',
    '1.50',
    '{"a":[1,"1e400",null,true]}',
    '9007199254740991',
    '1e-7',
    '100000.000000000000',
  ])('reads %s as JavaScript does', (text) => {
    expect(parseExactly(text)).toEqual(JSON.parse(text));
  });

  test('of any depth is parsed', () => {
    const deep = `${'['.repeat(20_000)}12345678901234567890${']'.repeat(20_000)}`;
    expect(() => parseExactly(deep)).not.toThrow();
    expect(() => parseExactly(`${deep}]`)).toThrow(SyntaxError);
  });

  test('keeps every digit of random numbers', async () => {
    await compareForSeconds((seed) => {
      const chance = makeChance(seed);
      const digits = (most: number) => chance.many(1, most, () => String(chance.below(10))).join('');
      const whole = digits(chance.oneOf([2, 17, 40])).replace(/^0+(?=.)/, '');
      const fraction = chance.of(0.5) ? `.${digits(chance.oneOf([3, 20]))}` : '';
      const exponent = chance.of(0.3)
        ? `${chance.oneOf(['e', 'E'])}${chance.oneOf(['', '+', '-'])}${chance.below(400)}`
        : '';
      const number = `${chance.of(0.3) ? '-' : ''}${whole}${fraction}${exponent}`;
      const [read] = parseExactly(`[${number}]`) as unknown[];
      // A number must equal its text exactly. Raw JSON must be written unchanged.
      if (typeof read === 'number') expect(sameNumber(number, read), `seed ${seed}: ${number}`).toBe(true);
      else expect(JSON.stringify(read), `seed ${seed}`).toBe(number);
    }, 1);
  });
});

/** Compares, by exact arithmetic, the text with the shortest decimal form of the number. */
function sameNumber(text: string, number: number): boolean {
  const scale = (each: string): [bigint, bigint] => {
    const [, sign = '', whole = '', fraction = '', exponent = '0'] =
      /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(each) ?? [];
    const places = BigInt(fraction.length) - BigInt(exponent);
    const digits = BigInt(`${sign}${whole}${fraction}`);
    return places >= 0n ? [digits, 10n ** places] : [digits * 10n ** -places, 1n];
  };
  const [a, b] = scale(text);
  const [c, d] = scale(String(number));
  return a * d === c * b;
}
