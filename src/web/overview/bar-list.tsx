import { useState } from 'react';
import { Link } from 'wouter';
import { Button } from '../design/button.tsx';
import { formatCount } from '../design/format.ts';
import { overview as text } from '../text/overview.ts';
import styles from './bars.module.css';

export interface Bar {
  readonly key: string;
  readonly label: string;
  readonly value: number;
  /** Value as a text. */
  readonly shown: string;
  /** Address of the images of the bar; undefined: there is none. */
  readonly href?: string | undefined;
  readonly failed?: number;
  readonly failedHref?: string | undefined;
}

/** Most bars before the rest is asked for. */
const FEW = 8;

/** Bars of a list, longest first. The failed part of a bar is hatched. */
export function BarList({ bars }: { readonly bars: readonly Bar[] }) {
  const [isWhole, setWhole] = useState(false);
  const most = Math.max(1, ...bars.map(({ value }) => value));
  return (
    <>
      <ol className={styles.list}>
        {(isWhole ? bars : bars.slice(0, FEW)).map((bar) => (
          <BarRow key={bar.key} bar={bar} most={most} />
        ))}
      </ol>
      {bars.length > FEW ? (
        <Button kind="quiet" className={styles.more} onClick={() => setWhole(!isWhole)}>
          {isWhole ? text.showFewer : text.showAll(formatCount(bars.length))}
        </Button>
      ) : null}
    </>
  );
}

function BarRow({ bar, most }: { readonly bar: Bar; readonly most: number }) {
  const { label, value, shown, href, failed = 0, failedHref } = bar;
  const share = (part: number) => `${(100 * part) / most}%`;
  return (
    <li className={styles.row}>
      <span className={styles.label} title={label}>
        {href ? <Link href={href}>{label}</Link> : label}
      </span>
      <span className={styles.value}>
        {failed > 0 && failedHref ? (
          <Link className={styles.failed} href={failedHref}>
            {text.failedOf(formatCount(failed))}
          </Link>
        ) : null}
        <strong>{shown}</strong>
      </span>
      <span className={styles.track} aria-hidden="true">
        <span className={styles.bar} style={{ width: share(value - failed) }} />
        <span className={styles.failedBar} style={{ width: share(failed) }} />
      </span>
    </li>
  );
}
