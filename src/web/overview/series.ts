/** Figures of one tool on one day. */
export interface DayRow {
  /** `YYYY-MM-DD` in UTC. */
  readonly day: string;
  readonly tool: string;
  readonly total: number;
  readonly failed: number;
}

export type Step = 'day' | 'week' | 'month';

/** A day, a week or a month of the plot. */
export interface Bucket {
  /** First day, `YYYY-MM-DD` in UTC. */
  readonly from: string;
  readonly to: string;
}

/** Figures of one tool, by bucket. */
export interface ToolSeries {
  /** Name of the tool; null: all others together. */
  readonly tool: string | null;
  readonly made: readonly number[];
  readonly failed: readonly number[];
}

export interface Series {
  readonly step: Step;
  readonly buckets: readonly Bucket[];
  /** Tools with the most images first. */
  readonly tools: readonly ToolSeries[];
}

/** Most tools with a series of their own. More colours and patterns are hard to tell apart. */
const MAX_TOOLS = 6;
/** Most days that the plot shows as days; up to the second number, as weeks. */
const MAX_DAYS = 92;
const MAX_WEEK_DAYS = 750;
const DAY_MS = 86_400_000;

const numberOf = (day: string): number => Date.parse(`${day}T00:00:00Z`) / DAY_MS;
const nameOf = (number: number): string => new Date(number * DAY_MS).toISOString().slice(0, 10);

/**
 * Returns the figures as series without gaps, from the first day to the last. Over many days, it adds up
 * weeks (from Monday) or months.
 * @param from first day; undefined: the first day of the rows.
 */
export function makeSeries(rows: readonly DayRow[], from: string | undefined, to: string): Series {
  const start =
    from === undefined ? Math.min(numberOf(to), ...rows.map(({ day }) => numberOf(day))) : numberOf(from);
  const last = numberOf(to);
  const step = stepOf(last - start + 1);
  const buckets = bucketsOf(start, last, step);
  const starts = buckets.map((bucket) => numberOf(bucket.from));
  const named = topTools(rows);
  const empty = () => buckets.map(() => 0);
  const series = new Map([...named, null].map((tool) => [tool, { tool, made: empty(), failed: empty() }]));
  let hasOthers = false;
  for (const { day, tool, total, failed } of rows) {
    const place = placeOf(starts, numberOf(day));
    if (place < 0 || numberOf(day) > last) continue;
    const name = named.includes(tool) ? tool : null;
    hasOthers ||= name === null;
    const { made, failed: failures } = series.get(name) as { made: number[]; failed: number[] };
    made[place] = (made[place] ?? 0) + total - failed;
    failures[place] = (failures[place] ?? 0) + failed;
  }
  return { step, buckets, tools: [...series.values()].filter(({ tool }) => tool !== null || hasOthers) };
}

function stepOf(days: number): Step {
  if (days <= MAX_DAYS) return 'day';
  return days <= MAX_WEEK_DAYS ? 'week' : 'month';
}

function bucketsOf(start: number, last: number, step: Step): Bucket[] {
  const buckets: Bucket[] = [];
  for (let day = start; day <= last; ) {
    const next = Math.min(nextStart(day, step), last + 1);
    buckets.push({ from: nameOf(day), to: nameOf(next - 1) });
    day = next;
  }
  return buckets;
}

/** Returns the first day after the bucket of a day. */
function nextStart(day: number, step: Step): number {
  if (step === 'day') return day + 1;
  // Day 0, 1 January 1970, was a Thursday.
  if (step === 'week') return day + 7 - ((day + 3) % 7);
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY_MS;
}

/** Returns the index of the last start at or before a day; -1: there is none. */
function placeOf(starts: readonly number[], day: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as number) <= day) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function topTools(rows: readonly DayRow[]): string[] {
  const totals = new Map<string, number>();
  for (const { tool, total } of rows) totals.set(tool, (totals.get(tool) ?? 0) + total);
  const sorted = [...totals].sort(([a, of], [b, more]) => more - of || (a < b ? -1 : 1));
  return sorted.slice(0, sorted.length > MAX_TOOLS + 1 ? MAX_TOOLS : MAX_TOOLS + 1).map(([tool]) => tool);
}

/**
 * Returns the series as heights of stacked bars, the topmost first. Each height includes those below it, so
 * a later bar covers the lower part of an earlier one.
 */
export function stack(series: readonly (readonly number[])[]): number[][] {
  const sums: number[][] = [];
  for (const [place, values] of series.entries())
    sums.push(values.map((value, index) => value + (sums[place - 1]?.[index] ?? 0)));
  return sums.reverse();
}

/** Returns the indices of at most `most` ticks, evenly spaced. */
export function ticksOf(count: number, most: number): number[] {
  const every = Math.max(1, Math.ceil(count / Math.max(1, Math.floor(most))));
  return Array.from({ length: Math.ceil(count / every) }, (_, tick) => tick * every);
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
