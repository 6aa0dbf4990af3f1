import { memo, useEffect, useState } from 'react';
import { Link } from 'wouter';
import { buttonClass, IconButton } from '../design/button.tsx';
import { formatBytes, formatCount } from '../design/format.ts';
import { Icon, type IconName } from '../design/icon.tsx';
import { useNow } from '../state/now.ts';
import { upload as text } from '../text/upload.ts';
import { isOpen, type UploadItem, type UploadState } from './queue.ts';
import type { Source } from './send.ts';
import styles from './upload.module.css';
import { uploads } from './uploads.ts';

interface QueueRowProps {
  readonly item: UploadItem;
  readonly source: Source | undefined;
}

/** One file or address of the queue. */
export const QueueRow = memo(({ item, source }: QueueRowProps) => (
  <>
    <Thumbnail content={source?.content} state={item.state} />
    <div className={styles.rowText}>
      <p className={styles.name} title={typeof source?.content === 'string' ? source.content : item.name}>
        {item.name}
      </p>
      <p className={styles.note}>
        <StateMark state={item.state} />
        <Note item={item} />
      </p>
      {item.state === 'sending' && item.bytes !== null ? (
        <progress
          className={styles.progress}
          value={item.sent}
          max={item.bytes}
          aria-label={`${text.states.sending}: ${item.name}`}
        />
      ) : null}
    </div>
    <RowActions item={item} />
  </>
));

const MARKS: Readonly<Record<UploadState, readonly [IconName, string | undefined] | null>> = {
  waiting: null,
  sending: null,
  stored: ['check', styles.good],
  existing: ['copy', undefined],
  refused: ['warning', styles.bad],
  failed: ['warning', styles.bad],
  cancelled: ['close', undefined],
};

function StateMark({ state }: { readonly state: UploadState }) {
  const mark = MARKS[state];
  return mark ? (
    <span className={mark[1]}>
      <Icon name={mark[0]} size={14} />
    </span>
  ) : null;
}

function Note({ item }: { readonly item: UploadItem }) {
  const isDelayed = item.state === 'waiting' && item.problem !== null;
  const now = useNow(isDelayed && item.notBefore > Date.now());
  const seconds = Math.ceil((item.notBefore - now) / 1000);
  const parts = [
    noteOf(item),
    isDelayed && seconds > 0 ? text.retryIn(formatCount(seconds)) : null,
    item.problem,
    item.bytes === null || item.problem !== null ? null : formatBytes(item.bytes),
  ].filter((part) => part !== null);
  return (
    <span className={styles.noteText} title={item.problem ?? undefined}>
      {parts.join(' · ')}
    </span>
  );
}

function noteOf({ state, bytes, sent, image }: UploadItem): string {
  if (state === 'refused' && image !== null) return text.states.existing;
  if (state !== 'sending') return text.states[state];
  if (bytes === null) return text.fetching;
  return sent >= bytes ? text.storing : text.states.sending;
}

function RowActions({ item }: { readonly item: UploadItem }) {
  const { id, name, state, image } = item;
  if (image !== null)
    return (
      <Link className={buttonClass('quiet')} href={`/image/${image}`} aria-label={`${text.open}: ${name}`}>
        {text.open}
      </Link>
    );
  if (isOpen(item))
    return (
      <IconButton
        icon="close"
        label={text.cancelOne(name)}
        onClick={() => uploads.dispatch({ type: 'cancel', id })}
      />
    );
  if (state === 'refused') return null;
  return (
    <IconButton
      icon="restore"
      label={text.retryOne(name)}
      onClick={() => uploads.dispatch({ type: 'retry', id })}
    />
  );
}

interface ThumbnailProps {
  readonly content: File | string | undefined;
  readonly state: UploadState;
}

/** A small picture of the file. Its bytes are released when the row leaves the screen. */
function Thumbnail({ content, state }: ThumbnailProps) {
  const [url, setUrl] = useState<string | null>(null);
  const file = content instanceof File && state !== 'refused' ? content : null;
  useEffect(() => {
    if (!file) return setUrl(null);
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return (
    <span className={styles.thumbnail}>
      {url && file ? (
        <img src={url} alt="" decoding="async" onError={() => setUrl(null)} />
      ) : (
        <Icon name={typeof content === 'string' ? 'link' : 'gallery'} />
      )}
    </span>
  );
}
