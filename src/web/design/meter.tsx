import type { ReactNode } from 'react';
import styles from './meter.module.css';

export type MeterTone = 'good' | 'fair' | 'warn' | 'bad' | 'none';

export interface MeterPart {
  readonly key: string;
  readonly value: number;
  readonly tone: MeterTone;
  /** Name, value and links of the part, below the meter. */
  readonly children: ReactNode;
}

/** A bar divided into parts, and a list of them. Each tone has a colour and a pattern. */
export function Meter({ parts }: { readonly parts: readonly MeterPart[] }) {
  return (
    <div className={styles.meter}>
      <div className={styles.bar} aria-hidden="true">
        {parts
          .filter(({ value }) => value > 0)
          .map(({ key, value, tone }) => (
            // A small part stays visible.
            <span key={key} className={styles[tone]} style={{ flex: `${value} 0 4px` }} />
          ))}
      </div>
      <ul className={styles.parts}>
        {parts.map(({ key, tone, children }) => (
          <li key={key}>
            <span className={[styles.swatch, styles[tone]].join(' ')} aria-hidden="true" />
            {children}
          </li>
        ))}
      </ul>
    </div>
  );
}
