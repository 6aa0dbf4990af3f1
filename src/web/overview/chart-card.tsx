import { type ReactNode, useState } from 'react';
import { Button } from '../design/button.tsx';
import { Card, Table } from '../design/page.tsx';
import { overview as text } from '../text/overview.ts';
import styles from './overview.module.css';

interface ChartCardProps {
  readonly title: string;
  /** Images that the numbers cover, where it is not the selection. */
  readonly note?: string;
  /** Head and body of the table with the same numbers. */
  readonly table: ReactNode;
  readonly children: ReactNode;
}

/** A plot with its title, and the same numbers as a table. */
export function ChartCard({ title, note, table, children }: ChartCardProps) {
  const [isTable, setTable] = useState(false);
  return (
    <Card
      title={title}
      actions={
        <Button
          kind="quiet"
          className={styles.toggle}
          aria-pressed={isTable}
          aria-label={text.showTable(title)}
          onClick={() => setTable(!isTable)}
        >
          {text.table}
        </Button>
      }
    >
      {note ? <p className={styles.note}>{note}</p> : null}
      {isTable ? (
        <div className={styles.table}>
          <Table label={title}>{table}</Table>
        </div>
      ) : (
        children
      )}
    </Card>
  );
}
