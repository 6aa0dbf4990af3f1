/** A month with images. */
export interface Month {
  /** `YYYY-MM`. */
  readonly month: string;
  /** Images of the month. */
  readonly count: number;
  /** Newest day with images, `YYYY-MM-DD`. */
  readonly last: string;
  /** Oldest day with images, `YYYY-MM-DD`. */
  readonly first: string;
  /** Whether it is the first of its year in the list. */
  readonly startsYear: boolean;
}

interface Day {
  readonly day: string;
  readonly total: number;
}

/** Gathers days into months, in the order of the days. */
export function monthsOf(days: readonly Day[]): Month[] {
  const months: Month[] = [];
  for (const { day, total } of days) {
    const month = day.slice(0, 7);
    const previous = months.at(-1);
    if (previous?.month === month) {
      const [first = day, last = day] = [day, previous.first, previous.last].sort().filter(isEnd);
      months[months.length - 1] = { ...previous, count: previous.count + total, first, last };
    } else {
      const startsYear = previous?.month.slice(0, 4) !== month.slice(0, 4);
      months.push({ month, count: total, first: day, last: day, startsYear });
    }
  }
  return months;
}

/** Keeps the first and the last of three. */
const isEnd = (_: string, index: number) => index !== 1;

/** Returns the day to go to so that a month begins at the top of the screen. */
export const startOfMonth = ({ first, last }: Month, isOldestFirst: boolean) =>
  isOldestFirst ? first : last;
