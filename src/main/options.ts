/** Parsers of option values. */
import { InvalidArgumentError } from 'commander';
import { expiryOf } from '../command/token.ts';
import { FixativeError } from '../errors.ts';
import type { ImageFilter } from '../image/list/conditions.ts';
import { parseImageFilter } from '../image/list/filter-json.ts';
import { parseTime } from '../time.ts';

/** Most that an option without a limit of its own may be. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export const parseWholeNumber = (name: string, low: number, high: number) => (text: string) => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= low && value <= high) return value;
  throw new InvalidArgumentError(`${name} goes from ${low} to ${high}.`);
};

export const parseShare = (name: string) => (text: string) => {
  const value = Number(text);
  if (/^\d(\.\d+)?$/.test(text) && value <= 1) return value;
  throw new InvalidArgumentError(`${name} goes from 0 to 1.`);
};

export function parseFilter(text: string): ImageFilter {
  try {
    return parseImageFilter(text);
  } catch (error) {
    if (error instanceof FixativeError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It is not valid JSON.');
  }
}

export function parseExpiry(text: string): Date {
  const time = expiryOf(text, Date.now());
  if (time) return time;
  throw new InvalidArgumentError(
    'Use 90d, 12h or 30m, or a time in the future such as 2027-01-31T00:00:00Z.',
  );
}

/** Reads `90d`, `12h` or `30m` before now, or an RFC 3339 time. */
export function parsePastTime(text: string): Date {
  const now = Date.now();
  const ahead = expiryOf(text, now);
  const time = /^\d+[mhd]$/.test(text) && ahead ? new Date(2 * now - ahead.getTime()) : parseTime(text);
  if (time) return time;
  throw new InvalidArgumentError('Use 90d, 12h or 30m, or a time such as 2027-01-31T00:00:00Z.');
}
