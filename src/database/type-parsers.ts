import pg from 'pg';

const INT8 = 20;
const TEXT_ARRAY = 1009;
const TIMESTAMPTZ = 1184;

type Parser = (text: string) => unknown;

/**
 * How values become JavaScript's: int8 a number, timestamptz a Date, text[] an array. The last two are read here in the shape that nearly all of them
 * have and left to pg's own parsers otherwise: of a page of images these cost as much as finding its rows.
 */
export function typeParserOf(oid: number, format: 'text' | 'binary' = 'text'): Parser {
  const parser = pg.types.getTypeParser(oid, format) as Parser;
  if (format !== 'text') return parser;
  if (oid === INT8) return Number;
  if (oid === TIMESTAMPTZ) return (text) => parseTimestamp(text) ?? parser(text);
  if (oid === TEXT_ARRAY) return (text) => parseTextArray(text) ?? parser(text);
  return parser;
}

/**
 * `2026-11-21 19:08:25[.123456]+00`, as PostgreSQL writes it in DateStyle ISO and TimeZone UTC; microseconds are cut off, as pg does.
 * @returns null for anything else: other zones, years before Christ or after 9999, infinity.
 */
export function parseTimestamp(text: string): Date | null {
  const { length } = text;
  const ends = text.charCodeAt(length - 3) === 43 && digits(text, length - 2, 2) === 0;
  const year = digits(text, 0, 4);
  // As many as the seconds have: none, or a point and up to six.
  const fraction = length - 3 - 19;
  if (!ends || year < 1000 || text.charCodeAt(4) !== 45 || text.charCodeAt(10) !== 32) return null;
  if (fraction !== 0 && (fraction < 2 || fraction > 7 || text.charCodeAt(19) !== 46)) return null;
  let milliseconds = 0;
  for (let i = 0; i < 3; i++) {
    const digit = i + 1 < fraction ? text.charCodeAt(20 + i) - 48 : 0;
    milliseconds = milliseconds * 10 + digit;
  }
  return new Date(
    Date.UTC(
      year,
      digits(text, 5, 2) - 1,
      digits(text, 8, 2),
      digits(text, 11, 2),
      digits(text, 14, 2),
      digits(text, 17, 2),
      milliseconds,
    ),
  );
}

/** NaN where there are others than digits. */
function digits(text: string, from: number, count: number): number {
  let number = 0;
  for (let i = from; i < from + count; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

/** `{a,b}` without quotes, NULL, bounds or arrays within. @returns null for any other. */
export function parseTextArray(text: string): string[] | null {
  if (text === '{}') return [];
  if (!/^\{[^"{}\\]+\}$/.test(text)) return null;
  const elements = text.slice(1, -1).split(',');
  return elements.includes('NULL') ? null : elements;
}
