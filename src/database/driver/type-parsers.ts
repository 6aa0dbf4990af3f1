import pg from 'pg';
import { parseExactly } from '../../json.ts';
import { clampTime, FIRST_TIME, LAST_TIME } from '../../time.ts';

const INT8 = 20;
export const JSON_TEXT = 114;
export const JSONB = 3802;
export const TEXT_ARRAY = 1009;
export const TIMESTAMPTZ = 1184;

type Parser = (text: string) => unknown;

/**
 * Returns the parser of a type. int8 becomes a number, timestamptz a Date, text[] an array; JSON keeps
 * numbers that JavaScript would round.
 *
 * The usual forms of times and arrays have fast parsers here; pg's own cost as much as finding the rows of a
 * page. A time that RFC 3339 cannot express (infinity, before the year 1, after 9999) becomes the nearest one
 * that it can.
 */
export function typeParserOf(oid: number, format: 'text' | 'binary' = 'text'): Parser {
  const parser = pg.types.getTypeParser(oid, format) as Parser;
  if (format !== 'text') return parser;
  if (oid === INT8) return Number;
  if (oid === JSON_TEXT || oid === JSONB) return parseExactly;
  if (oid === TIMESTAMPTZ) return (text) => parseTimestamp(text) ?? nearestTime(text, parser(text));
  if (oid === TEXT_ARRAY) return (text) => parseTextArray(text) ?? parser(text);
  return parser;
}

/** @param parsed value of pg's own parser: a Date, or a number for infinity. */
function nearestTime(text: string, parsed: unknown): Date {
  if (parsed instanceof Date) return clampTime(parsed);
  return text.startsWith('-') ? FIRST_TIME : LAST_TIME;
}

/**
 * Parses `2026-11-21 19:08:25[.123456]+00`, which PostgreSQL writes with DateStyle ISO and TimeZone UTC.
 * Microseconds are cut off, as in pg.
 * @returns null for anything else: other time zones, years BC or after 9999, infinity.
 */
export function parseTimestamp(text: string): Date | null {
  const { length } = text;
  const ends = text.charCodeAt(length - 3) === 43 && digits(text, length - 2, 2) === 0;
  const year = digits(text, 0, 4);
  // Length of the fraction of a second: 0, or a point and up to six digits.
  const fraction = length - 3 - 19;
  if (!ends || year < 1000 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return null;
  if (text.charCodeAt(10) !== 32 || text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return null;
  if (fraction !== 0 && (fraction < 2 || fraction > 7 || text.charCodeAt(19) !== 46)) return null;
  const time = Date.UTC(
    year,
    digits(text, 5, 2) - 1,
    digits(text, 8, 2),
    digits(text, 11, 2),
    digits(text, 14, 2),
    digits(text, 17, 2),
    fraction === 0 ? 0 : Math.floor((digits(text, 20, fraction - 1) * 1000) / 10 ** (fraction - 1)),
  );
  return Number.isNaN(time) ? null : new Date(time);
}

/** Reads a number of `count` digits; NaN when there is another character. */
function digits(text: string, from: number, count: number): number {
  let number = 0;
  for (let i = from; i < from + count; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

/**
 * Parses `{a,b}`, without quotes, NULL, bounds or nested arrays.
 * @returns null for any other form.
 */
export function parseTextArray(text: string): string[] | null {
  if (text === '{}') return [];
  if (!/^\{[^"{}\\,]+(?:,[^"{}\\,]+)*\}$/.test(text)) return null;
  const elements = text.slice(1, -1).split(',');
  return elements.includes('NULL') ? null : elements;
}
