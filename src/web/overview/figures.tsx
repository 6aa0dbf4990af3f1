import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { formatAgo, formatBytes, formatCount, formatShare } from '../design/format.ts';
import type { OverviewQuery, OverviewQueueQuery } from '../generated/graphql.ts';
import { type GalleryFilter, galleryPath } from '../state/filter.ts';
import { overview as text } from '../text/overview.ts';
import styles from './overview.module.css';

type Stats = OverviewQuery['imageStats'];
type Queue = OverviewQueueQuery['imageStats'];

interface FiguresProps {
  readonly stats: Stats | undefined;
  readonly queue: Queue | undefined;
  /** Filter of the selection. */
  readonly filter: GalleryFilter;
  /** Filter of the selection at any time, because what waits is shown whatever the range. */
  readonly always: GalleryFilter;
}

const { figures } = text;

/** Returns the share of images that succeeded, of those that have ended; null: none has. */
const rateOf = (good: number, bad: number) => (good + bad === 0 ? null : good / (good + bad));

/** The main numbers, each with a way to its images. */
export function Figures({ stats, queue, filter, always }: FiguresProps) {
  const rate = stats ? rateOf(stats.succeeded, stats.failed) : null;
  const failed = galleryPath({ ...filter, status: ['failed'] });
  return (
    <ul className={styles.figures} aria-label={text.figuresTitle}>
      <Figure label={figures.total} value={stats && formatCount(stats.total)} href={galleryPath(filter)} />
      <Figure
        label={figures.succeeded}
        value={stats && formatCount(stats.succeeded)}
        href={galleryPath({ ...filter, status: ['success'] })}
      />
      <Figure
        label={figures.failed}
        value={stats && formatCount(stats.failed)}
        href={failed}
        isBad={(stats?.failed ?? 0) > 0}
      />
      <Figure label={figures.rate} value={stats && (rate === null ? '–' : formatShare(rate))} href={failed} />
      <Figure
        label={figures.bytes}
        value={stats && formatBytes(stats.totalBytes)}
        note={text.largest}
        href={galleryPath({ ...filter, order: 'largest' })}
      />
      <Figure label={figures.users} value={stats && formatCount(stats.uniqueUsers)} anchor="#users" />
      <Figure
        label={figures.waiting}
        value={queue && formatCount(queue.pending)}
        note={queue?.oldestPendingAt ? text.oldestWait(formatAgo(queue.oldestPendingAt)) : text.noWait}
        href={galleryPath({ ...always, status: ['pending'], order: 'oldest' })}
      />
      <Figure
        label={figures.processing}
        value={queue && formatCount(queue.processing)}
        href={galleryPath({ ...always, status: ['processing'], order: 'oldest' })}
      />
    </ul>
  );
}

interface FigureProps {
  readonly label: string;
  /** Value as a text; undefined: it is being read. */
  readonly value: string | undefined;
  readonly note?: string;
  readonly href?: string;
  /** Place on this page, in place of an address. */
  readonly anchor?: string;
  readonly isBad?: boolean;
}

function Figure({ label, value, note, href, anchor, isBad = false }: FigureProps) {
  const content: ReactNode = (
    <>
      <span className={styles.figureLabel}>{label}</span>
      <span className={[styles.figureValue, isBad ? styles.bad : ''].filter(Boolean).join(' ')}>
        {value ?? '…'}
      </span>
      {note ? <span className={styles.figureNote}>{note}</span> : null}
    </>
  );
  return (
    <li>
      {href === undefined ? (
        <button type="button" className={styles.figure} onClick={() => jumpTo(anchor ?? '')}>
          {content}
        </button>
      ) : (
        <Link className={styles.figure} href={href}>
          {content}
        </Link>
      )}
    </li>
  );
}

/** Scrolls to a part of the page. An address with `#` alone would be one of `<base>`. */
function jumpTo(anchor: string): void {
  const element = anchor === '' ? null : document.querySelector<HTMLElement>(anchor);
  element?.scrollIntoView({ block: 'center' });
  element?.querySelector<HTMLElement>('button, a')?.focus({ preventScroll: true });
}
