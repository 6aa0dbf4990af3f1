/** Numbers that JavaScript would round when it reads JSON. */

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

/** Text that may hold a number which JavaScript rounds: one of many digits, or one with an exponent. */
const SUSPICIOUS = /\d[\d.]{15}|\d[eE]/;

/**
 * Parses JSON and keeps every number as it is written: one that a JavaScript number cannot hold becomes raw JSON, which JSON.stringify writes
 * as it came.
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  if (!SUSPICIOUS.test(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, (_key, value, { source }) =>
      typeof value === 'number' && !isExact(source, value) ? JSON.rawJSON(source) : value,
    );
  } catch (error) {
    // The function is called for each level within the other, and there may be more levels than fit on the stack.
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

const isExact = (source: string, value: number) =>
  isExactNumber(value) && digitsOf(source) === digitsOf(String(value));

/** Whether a number is what its sender wrote: larger whole numbers may have been rounded when they were read (RFC 7493, 2.2). */
export const isExactNumber = (value: number) =>
  Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value));

/** A number as its significant digits and their place, the same for every spelling of it: `1.50` and `15e-1` are `15e-1`. */
function digitsOf(text: string): string {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const place = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${significant}e${place}`;
}
