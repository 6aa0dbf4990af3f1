/** Parses JSON without rounding its numbers. */

declare global {
  interface JSON {
    /** https://developer.mozilla.org/docs/Web/JavaScript/Reference/Global_Objects/JSON/rawJSON */
    rawJSON(text: string): object;
    isRawJSON(value: unknown): boolean;
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { source: string }) => unknown,
    ): unknown;
  }
}

/** Finds numbers that JavaScript may round: those with many digits or with an exponent. */
const MAY_ROUND = /\d[\d.]{15}|\d[eE]/;

/**
 * Parses JSON and keeps every number exactly. A number that JavaScript would round becomes raw JSON, which
 * `JSON.stringify` writes unchanged. JSON that is nested too deeply for the stack is parsed with rounding.
 * @throws SyntaxError when the text is not JSON
 */
export function parseExactly(text: string): unknown {
  if (!MAY_ROUND.test(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, (_key, value, { source }) =>
      typeof value === 'number' && !isExact(source, value) ? JSON.rawJSON(source) : value,
    );
  } catch (error) {
    // The reviver calls itself for every level, so deeply nested JSON overflows the stack.
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

const isExact = (source: string, value: number) =>
  isExactNumber(value) && digitsOf(source) === digitsOf(String(value));

/**
 * Whether a number was certainly not rounded when it was read. Integers above 2⁵³ - 1 may have been (RFC
 * 7493, 2.2).
 */
export const isExactNumber = (value: number) =>
  Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value));

/**
 * Returns the significant digits and the exponent of a number, equal for all spellings: `1.50` and `15e-1`
 * give `15e-1`.
 */
function digitsOf(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${significant}e${power}`;
}
