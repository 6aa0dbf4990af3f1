import { useEffect, useRef, useState } from 'react';
import { Icon } from '../design/icon.tsx';
import { upload as text } from '../text/upload.ts';
import { filesOf } from './collect.ts';
import styles from './upload.module.css';

/** Takes files that are dropped anywhere on the page, or pasted. */
export function DropLayer({ onFiles }: { readonly onFiles: (files: readonly File[]) => void }) {
  const [isOver, setOver] = useState(false);
  const receive = useRef(onFiles);
  receive.current = onFiles;
  useEffect(() => {
    // Elements of the page send `dragleave` too; the drag has left when each `dragenter` has its `dragleave`.
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (hasFiles(event)) depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const over = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    const take = async (event: Event, data: DataTransfer | null) => {
      depth = 0;
      setOver(false);
      if (!data?.types.includes('Files')) return;
      event.preventDefault();
      receive.current(await filesOf(data));
    };
    const events = new AbortController();
    const { signal } = events;
    document.addEventListener('dragenter', enter, { signal });
    document.addEventListener('dragleave', leave, { signal });
    document.addEventListener('dragover', over, { signal });
    document.addEventListener('drop', (event) => void take(event, event.dataTransfer), { signal });
    document.addEventListener('paste', (event) => void take(event, event.clipboardData), { signal });
    return () => events.abort();
  }, []);
  return isOver ? (
    <div className={styles.over} aria-hidden="true">
      <Icon name="upload" size={48} />
      {text.dropNow}
    </div>
  ) : null;
}
