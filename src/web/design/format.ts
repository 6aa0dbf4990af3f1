/** Numbers, sizes and dates in the language of the browser. */

const locale = () => navigator.languages?.[0] ?? 'en';

const count = new Intl.NumberFormat(locale());
const short = new Intl.NumberFormat(locale(), { notation: 'compact', maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });

export const formatCount = (value: number) => count.format(value);

/** Formats a number in few characters, such as `1.2K`. */
export const formatShort = (value: number) => short.format(value);

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** Formats a size, such as `1.4 MB`. A kilobyte has 1,000 bytes. */
export function formatBytes(bytes: number): string {
  const step = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return new Intl.NumberFormat(locale(), {
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
    ? new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(value))
    : day.format(new Date(value));

const shortDay = new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric', timeZone: 'UTC' });

/** Formats a day in few characters, such as `Nov 21`; `value` is `YYYY-MM-DD`, a day in UTC. */
export const formatDayShort = (value: string) => shortDay.format(new Date(value));

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
  new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 1 }).format(value);

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
      new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'short' }).format(value),
    )
    .join(' ');
}

/** Formats an amount of US dollars, with as many digits as a price of one picture needs. */
export const formatUsd = (value: number) =>
  new Intl.NumberFormat(locale(), {
    style: 'currency',
    currency: 'USD',
    maximumFractionDigits: value < 1 ? 4 : 2,
  }).format(value);
