import { CronExpressionParser } from 'cron-parser';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Reads a size such as `52428800`, `50 MiB` or `50MB` into bytes. */
export const bytes = z
  .string()
  .regex(/^\d+(\.\d+)?\s*(B|KiB|MiB|GiB|KB|MB|GB)?$/i, 'a number of bytes, such as 52428800 or 50 MiB')
  .transform((text) => {
    const [, amount = '', unit = 'B'] = /^([\d.]+)\s*([a-z]*)$/i.exec(text) ?? [];
    const factors: Record<string, number> = { b: 1, kib: KiB, mib: MiB, gib: GiB, kb: 1e3, mb: 1e6, gb: 1e9 };
    return Math.floor(Number(amount) * (factors[unit.toLowerCase() || 'b'] ?? 1));
  })
  .refine((amount) => amount > 0, 'more than 0 bytes');

/** Reads a size, or `off` into 0. */
export const bytesOrOff = z
  .union([z.literal('off').transform(() => 0), bytes], {
    error: 'a number of bytes, such as 52428800 or 50 MiB, or off',
  })
  .describe('A size, or off');

export const wholeNumber = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d+$/, `a whole number from ${low} to ${high}`)
    .transform(Number)
    .refine((number) => number >= low && number <= high, `a whole number from ${low} to ${high}`)
    .describe(`${low} to ${high}`);

export const flag = z
  .string()
  .regex(/^(true|false|1|0|yes|no)$/i, 'true or false')
  .transform((text) => /^(true|1|yes)$/i.test(text))
  .describe('One of true, false');

/** Reads a list that is separated by commas. Empty entries are left out. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean),
);

/** Reads an http or https URL and removes slashes at its end. */
export const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'a URL that begins with http:// or https://',
  )
  .transform((text) => text.replace(/\/+$/, ''));

/** Wildcard origin. It needs a label below the top-level domain, because `*.com` would match everybody. */
const WILDCARD_ORIGIN = /^https?:\/\/\*\.(?:[a-z0-9_-]+\.)+[a-z0-9-]+(?::\d+)?$/;
/** Origin of an app whose pages have their own scheme, such as `capacitor://localhost`. */
const APP_ORIGIN = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+$/;

/** Reads origins as browsers write them, `https://*.example.com` and `*`. The entry `none` is left out. */
export const origins = list
  .refine(
    (entries) =>
      entries.every(
        (entry) =>
          ['*', 'none'].includes(entry) ||
          WILDCARD_ORIGIN.test(entry) ||
          APP_ORIGIN.test(entry) ||
          (!entry.includes('*') && URL.parse(entry)?.origin === entry),
      ),
    'origins such as https://app.example.com or https://*.example.com, separated by commas, or *, or none',
  )
  .transform((entries) => entries.filter((entry) => entry !== 'none'));

/** Reads a rate of requests a minute. `off` is null. */
export const requestsPerMinute = z
  .string()
  .regex(/^(\d{1,9}|off)$/, 'a number of requests a minute, or off')
  .refine((text) => text === 'off' || Number(text) > 0, 'a number of requests a minute, or off')
  .transform((text) => (text === 'off' ? null : Number(text)))
  .describe('1 to 999999999, or off');

/** Reads IP addresses and CIDR ranges. */
export const addressList = list.refine(
  (entries) => entries.every((entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry)),
  'addresses or CIDR ranges, separated by commas',
);

function isSchedule(text: string): boolean {
  if (text === 'off') return true;
  try {
    CronExpressionParser.parse(text);
    return text.trim().split(/\s+/).length === 5;
  } catch {
    return false;
  }
}

/** Reads a schedule; null: off. */
export const schedule = z
  .string()
  .refine(isSchedule, 'five fields of cron, such as `0 3 * * *`, or off')
  .transform((text) => (text === 'off' ? null : text))
  .describe('Five fields of cron, in UTC, or off');
