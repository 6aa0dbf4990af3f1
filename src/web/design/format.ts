/** Numbers, sizes and dates in the language of the browser. */
import { LOCALE } from '../text/locale.ts';

export { formatCount } from '../text/locale.ts';

const short = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto' });

/** Formats a number in few characters, such as `1.2K`. */
export const formatShort = (value: number) => short.format(value);

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** Formats a size, such as `1.4 MB`. A kilobyte has 1,000 bytes. */
export function formatBytes(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return new Intl.NumberFormat(LOCALE, {
    style: 'unit',
    unit: UNITS[step] as string,
    unitDisplay: 'short',
    maximumFractionDigits: step === 0 ? 0 : 1,
  }).format(bytes / 1000 ** step);
}

/** Formats a point in time; `value` is an RFC 3339 text. */
export const formatTime = (value: string) => time.format(new Date(value));

/** Formats a day; `value` is an RFC 3339 text, or `YYYY-MM-DD`, which is a day in UTC. */
export const formatDay = (value: string) =>
  value.length === 10
    ? new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(value))
    : day.format(new Date(value));

const shortDay = new Intl.DateTimeFormat(LOCALE, { month: 'short', day: 'numeric', timeZone: 'UTC' });

/** Formats a day in few characters, such as `Nov 21`; `value` is `YYYY-MM-DD`, a day in UTC. */
export const formatDayShort = (value: string) => shortDay.format(new Date(value));

const month = new Intl.DateTimeFormat(LOCALE, { month: 'long', year: 'numeric', timeZone: 'UTC' });
const shortMonth = new Intl.DateTimeFormat(LOCALE, { month: 'short', timeZone: 'UTC' });

/** Formats a month, such as `November 2026`; `value` is `YYYY-MM`. */
export const formatMonth = (value: string) => month.format(new Date(`${value}-01`));

/** Formats a month without its year, such as `Nov`; `value` is `YYYY-MM`. */
export const formatMonthShort = (value: string) => shortMonth.format(new Date(`${value}-01`));

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** Formats a point in time as its distance from now, such as `3 minutes ago`. */
export function formatAgo(value: string, now = Date.now()): string {
  const seconds = (new Date(value).getTime() - now) / 1000;
  for (const [unit, length] of STEPS)
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  return relative.format(Math.trunc(seconds), 'second');
}

/** Formats a share from 0 to 1 in per cent. */
export const formatShare = (value: number) =>
  new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 1 }).format(value);

const DURATIONS: readonly [string, number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

/** Formats a length of time by its two largest units, such as `2 hr 5 min`. */
export function formatDuration(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds));
  const first = Math.max(
    0,
    DURATIONS.findIndex(([, length]) => rest >= length),
  );
  const parts = (rest < 1 ? DURATIONS.slice(-1) : DURATIONS.slice(first, first + 2)).map(([unit, length]) => {
    const value = Math.floor(rest / length);
    rest -= value * length;
    return { unit, value };
  });
  return parts
    .filter(({ value }, place) => value > 0 || place === 0)
    .map(({ unit, value }) =>
      new Intl.NumberFormat(LOCALE, { style: 'unit', unit, unitDisplay: 'short' }).format(value),
    )
    .join(' ');
}

const exactSeconds = new Intl.NumberFormat(LOCALE, {
  style: 'unit',
  unit: 'second',
  unitDisplay: 'short',
  maximumFractionDigits: 1,
});

/** Formats a length of time in seconds and tenths, such as `2.4 sec`. */
export const formatSeconds = (seconds: number) => exactSeconds.format(seconds);

const list = new Intl.ListFormat(LOCALE);

/** Formats names as a list, such as `a, b and c`. */
export const formatList = (names: readonly string[]) => list.format(names);

/** Formats an amount of US dollars, with as many digits as a price of one picture needs. */
export const formatUsd = (value: number) =>
  new Intl.NumberFormat(LOCALE, {
    style: 'currency',
    currency: 'USD',
    maximumFractionDigits: value < 1 ? 4 : 2,
  }).format(value);
