import { useRef } from 'react';
import { Link } from 'wouter';
import { Button, buttonClass } from '../design/button.tsx';
import { formatBytes, formatCount, formatShare } from '../design/format.ts';
import { Icon } from '../design/icon.tsx';
import { Badge, type Tone } from '../design/notice.tsx';
import { Spoken } from '../design/spoken.tsx';
import { galleryPath } from '../state/filter.ts';
import { useSignal } from '../state/signal.ts';
import { upload as text } from '../text/upload.ts';
import { milestoneOf, type Summary, summarise } from './summary.ts';
import styles from './upload.module.css';
import { batchId, clearUploads, uploads } from './uploads.ts';

/** The progress of the whole queue, and what can be done with it. */
export function QueueBar() {
  const queue = useSignal(uploads.queue);
  const stopped = useSignal(uploads.stopped);
  const summary = summarise(queue);
  const isDone = summary.open === 0;
  return (
    <section className={styles.bar} aria-label={text.progress}>
      <div className={styles.barHead}>
        <h2>{isDone ? text.finished : headOf(summary)}</h2>
        <span className={styles.soft}>
          {summary.totalBytes > 0
            ? text.sent(formatBytes(summary.sentBytes), formatBytes(summary.totalBytes))
            : formatShare(summary.share)}
        </span>
      </div>
      <progress className={styles.progress} value={summary.share} max={1} aria-label={text.progress} />
      {stopped === null ? null : (
        <p className={styles.stopped} role="alert">
          <Icon name="warning" /> {text.stopped}: {stopped}
        </p>
      )}
      <div className={styles.barFoot}>
        <Counts summary={summary} />
        <Actions summary={summary} isPaused={queue.isPaused} />
      </div>
      <Milestones summary={summary} />
    </section>
  );
}

const headOf = ({ total, open }: Summary) => text.inProgress(formatCount(total - open), formatCount(total));

const TONES: readonly (readonly [keyof typeof text.counts, Tone])[] = [
  ['stored', 'good'],
  ['existing', 'neutral'],
  ['refused', 'bad'],
  ['failed', 'bad'],
  ['cancelled', 'neutral'],
];

const countsOf = (summary: Summary) =>
  TONES.filter(([state]) => summary[state] > 0).map(([state, tone]) => ({
    state,
    tone,
    label: text.counts[state](formatCount(summary[state])),
  }));

const Counts = ({ summary }: { readonly summary: Summary }) => (
  <p className={styles.counts}>
    {countsOf(summary).map(({ state, tone, label }) => (
      <Badge key={state} tone={tone}>
        {label}
      </Badge>
    ))}
  </p>
);

function Actions({ summary, isPaused }: { readonly summary: Summary; readonly isPaused: boolean }) {
  const { dispatch } = uploads;
  const isDone = summary.open === 0;
  return (
    <div className={styles.buttons}>
      {summary.failed > 0 ? (
        <Button icon="restore" onClick={() => dispatch({ type: 'retryAll' })}>
          {text.retryFailed(formatCount(summary.failed))}
        </Button>
      ) : null}
      {isDone ? (
        <>
          <Button onClick={clearUploads}>{text.clear}</Button>
          {summary.stored > 0 ? (
            <Link className={buttonClass('primary')} href={galleryPath({ request: batchId() })}>
              <Icon name="gallery" />
              {text.seeThem}
            </Link>
          ) : null}
        </>
      ) : (
        <>
          <Button onClick={() => dispatch({ type: isPaused ? 'resume' : 'pause' })}>
            {isPaused ? text.resume : text.pause}
          </Button>
          <Button onClick={() => dispatch({ type: 'cancelAll' })}>{text.cancelAll}</Button>
        </>
      )}
    </div>
  );
}

/** Tells screen readers how far the queue is, a few times in all. */
function Milestones({ summary }: { readonly summary: Summary }) {
  const milestone = milestoneOf(summary);
  const last = useRef({ milestone: 0, total: 0, said: '' });
  if (milestone !== last.current.milestone || summary.total !== last.current.total) {
    const counts = countsOf(summary).map(({ label }) => label);
    const said = milestone === 1 ? [text.finished, ...counts].join(', ') : headOf(summary);
    last.current = { milestone, total: summary.total, said };
  }
  return <Spoken>{last.current.said}</Spoken>;
}
