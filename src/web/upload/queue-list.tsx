import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef, useState } from 'react';
import { useSignal } from '../state/signal.ts';
import { upload as text } from '../text/upload.ts';
import { QueueRow } from './queue-row.tsx';
import styles from './upload.module.css';
import { uploads } from './uploads.ts';

/** Height of a row in pixels; `.row` has the same. */
const ROW = 72;

/** The items of the queue. Only those near the screen are elements of the page. */
export function QueueList() {
  const { items } = useSignal(uploads.queue);
  const list = useRef<HTMLOListElement>(null);
  const [top, setTop] = useState(0);
  // The parts above may grow or shrink.
  useLayoutEffect(() => {
    const found = (list.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    if (Math.abs(found - top) > 1) setTop(found);
  });
  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ROW,
    overscan: 6,
    scrollMargin: top,
  });
  return (
    <ol ref={list} className={styles.list} aria-label={text.list} style={{ height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map(({ index, start }) => {
        const item = items[index];
        return item ? (
          <li
            key={item.id}
            className={styles.row}
            style={{ transform: `translateY(${start - top}px)` }}
            aria-setsize={items.length}
            aria-posinset={index + 1}
          >
            <QueueRow item={item} source={uploads.sourceOf(item.id)} />
          </li>
        ) : null;
      })}
    </ol>
  );
}
