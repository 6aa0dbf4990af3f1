import { type ReactNode, useEffect } from 'react';
import { text } from '../text/shared.ts';
import styles from './page.module.css';
import { spoken } from './spoken.tsx';

interface PageProps {
  readonly title: string;
  /** Buttons beside the title. */
  readonly actions?: ReactNode;
  /** Whether it takes the width of a large screen. */
  readonly isWide?: boolean;
  readonly children: ReactNode;
}

/** Sets the title of the document. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · ${text.product}`;
  }, [title]);
}

/** A page with a title, its actions, and its content in a column. */
export function Page({ title, actions, isWide = false, children }: PageProps) {
  useTitle(title);
  return (
    <div className={[styles.page, isWide ? styles.wide : ''].join(' ')}>
      <header className={styles.head}>
        <h1>{title}</h1>
        {actions ? <div className={styles.actions}>{actions}</div> : null}
      </header>
      {children}
    </div>
  );
}

interface CardProps {
  readonly title?: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A framed part of a page. */
export function Card({ title, actions, children }: CardProps) {
  return (
    <section className={styles.card}>
      {title === undefined ? null : (
        <header className={styles.head}>
          <h2>{title}</h2>
          {actions ? <div className={styles.actions}>{actions}</div> : null}
        </header>
      )}
      {children}
    </section>
  );
}

interface TableProps {
  /** Title for screen readers. */
  readonly label: string;
  /** Whether each row becomes a block on a narrow screen. Its cells need `data-label`. */
  readonly stacks?: boolean;
  readonly children: ReactNode;
}

/** A table that scrolls sideways on a narrow screen. Give cells of numbers the class `number`. */
export const Table = ({ label, stacks = false, children }: TableProps) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard.
  <section className={styles.scroll} aria-label={label} tabIndex={0}>
    <table className={[styles.table, stacks ? styles.stacks : ''].filter(Boolean).join(' ')}>
      <caption className={spoken}>{label}</caption>
      {children}
    </table>
  </section>
);

/** Class of cells with numbers. */
export const number = styles.number as string;
