import { useEffect, useRef, useState } from 'react';
import { Icon } from '../design/icon.tsx';
import { showToast } from '../design/toast.tsx';
import { upload as text } from '../text/upload.ts';
import { addressesOf } from './addresses.ts';
import { filesOf } from './collect.ts';
import styles from './upload.module.css';

interface DropLayerProps {
  readonly onFiles: (files: readonly File[]) => void;
  readonly onAddresses: (urls: readonly string[]) => void;
}

/** Takes files that are dropped anywhere on the page, and files and addresses that are pasted. */
export function DropLayer(props: DropLayerProps) {
  const [isOver, setOver] = useState(false);
  const latest = useRef(props);
  latest.current = props;
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
      if (event.type === 'paste' && data?.types.includes('text/plain')) {
        const { urls, wrong } = addressesOf(data.getData('text/plain'));
        const isTyping = event.target instanceof Element && event.target.closest('input, textarea') !== null;
        if (!isTyping && urls.length > 0 && wrong.length === 0) latest.current.onAddresses(urls);
        return;
      }
      if (!data?.types.includes('Files')) return;
      event.preventDefault();
      try {
        latest.current.onFiles(await filesOf(data));
      } catch {
        showToast(text.unreadable, { tone: 'bad' });
      }
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
