import { formatMonth, formatMonthShort } from '../design/format.ts';
import type { GalleryFilter } from '../state/filter.ts';
import { type Signal, useSignal } from '../state/signal.ts';
import { gallery as text } from '../text/gallery.ts';
import styles from './date-rail.module.css';
import { startOfMonth } from './days.ts';
import { useMonths } from './use-months.ts';

interface DateRailProps {
  readonly filter: GalleryFilter;
  /** Day of the first image on the screen. */
  readonly day: Signal<string>;
  readonly onJump: (day: string) => void;
}

/** Months beside the images, on wide screens. A month goes to its images. */
export function DateRail({ filter, day, onJump }: DateRailProps) {
  const { months } = useMonths(filter);
  const present = useSignal(day).slice(0, 7);
  return (
    <nav className={styles.rail} aria-label={text.rail}>
      <ol>
        {months.map((month) => (
          <li key={month.month}>
            {month.startsYear ? <span className={styles.year}>{month.month.slice(0, 4)}</span> : null}
            <button
              type="button"
              className={styles.month}
              aria-label={text.monthCount(
                `${formatMonthShort(month.month)} ${month.month.slice(0, 4)}`,
                month.count,
              )}
              title={text.monthCount(formatMonth(month.month), month.count)}
              aria-current={month.month === present || undefined}
              onClick={() => onJump(startOfMonth(month, filter.order === 'oldest'))}
            >
              {formatMonthShort(month.month)}
            </button>
          </li>
        ))}
      </ol>
    </nav>
  );
}
