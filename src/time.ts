/**
 * Parses and writes times, and limits waits. All inputs use this parser (GraphQL, lists, tables, sidecars,
 * filters, the command line), so that a text always means the same moment, in every time zone of the machine.
 */

/**
 * First and last moment that both RFC 3339 and PostgreSQL can represent. Times of rows beyond them are
 * clamped.
 */
export const FIRST_TIME = new Date('0001-01-01T00:00:00.000Z');
export const LAST_TIME = new Date('9999-12-31T23:59:59.999Z');

const DATE = /^(\d{4})-(\d\d)-(\d\d)/;
const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?/;
const ZONE = /^(?:z|([+-])(\d\d)(?::?(\d\d))?)$/i;

/**
 * Parses a time of RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339#section-5.6), such as
 * `2026-11-21T09:35:00.123+02:00`. It also accepts:
 * - a space instead of the `T`
 * - a time without seconds, and an offset without minutes
 * - a day without a time: its midnight
 * - a time without a zone: UTC
 *
 * @returns the time with milliseconds, further digits cut off; null for any other text, for a day that the
 *   calendar does not have, and for years outside of 0 to 9999. Year 0 is before FIRST_TIME.
 */
export function parseTime(text: string): Date | null {
  const [date, year, month, day] = DATE.exec(text) ?? [];
  if (date === undefined) return null;
  const midnight = new Date(Date.UTC(2000, Number(month) - 1, Number(day)));
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // JavaScript turns 30 February into a day of March.
  if (midnight.toISOString().slice(0, 10) !== date) return null;
  const rest = text.slice(date.length);
  const moment = rest === '' ? 0 : /^[Tt ]/.test(rest) ? parseTimeOfDay(rest.slice(1)) : null;
  if (moment === null) return null;
  const time = new Date(midnight.getTime() + moment);
  return time.getUTCFullYear() < 0 || time > LAST_TIME ? null : time;
}

/**
 * @returns milliseconds since midnight in UTC, negative or beyond one day when the offset crosses midnight;
 *   null: malformed
 */
function parseTimeOfDay(text: string): number | null {
  const [time, hours, minutes, seconds = '0', fraction = ''] = TIME.exec(text) ?? [];
  if (time === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return null;
  const milliseconds = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const local = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + milliseconds;
  const zone = text.slice(time.length);
  if (zone === '') return local;
  const [isZone, sign, zoneHours = '0', zoneMinutes = '0'] = ZONE.exec(zone) ?? [];
  if (isZone === undefined || Number(zoneHours) > 23 || Number(zoneMinutes) > 59) return null;
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000;
  return sign === '-' ? local + offset : local - offset;
}

/** Clamps a time to FIRST_TIME and LAST_TIME. An invalid Date becomes LAST_TIME. */
export function clampTime(time: Date): Date {
  if (time < FIRST_TIME) return FIRST_TIME;
  return time <= LAST_TIME ? time : LAST_TIME;
}

/** Writes microseconds since 1970 as RFC 3339 with six decimals of a second, as many as PostgreSQL has. */
export function formatMicros(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(rest).padStart(6, '0')}Z`;
}

/**
 * Writes a timestamptz of PostgreSQL in UTC (`2026-11-21 19:08:25.1234+00`) as RFC 3339 with six decimals of
 * a second, clamped to FIRST_TIME and LAST_TIME.
 */
export function formatTimestamp(text: string): string {
  const [, day, time, fraction = '', era] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00( BC)?$/.exec(text) ?? [];
  if (day !== undefined && era === undefined) return `${day}T${time}.${fraction.padEnd(6, '0')}Z`;
  const isBefore = era !== undefined || text.startsWith('-') || text.endsWith(' BC');
  return formatMicros(BigInt((isBefore ? FIRST_TIME : LAST_TIME).getTime()) * 1000n);
}

/**
 * Returns the outcome of `work`, or the result of `late` when `work` has not settled after `milliseconds`. A
 * later outcome of `work` is ignored.
 */
export function withTimeLimit<Result, Late>(
  milliseconds: number,
  work: Promise<Result>,
  late: () => Late,
): Promise<Result | Late> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  return Promise.race([work, time.then(late)]).finally(() => clearTimeout(timer));
}
