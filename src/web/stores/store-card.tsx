import { Link } from 'wouter';
import { Button } from '../design/button.tsx';
import { CoverageMeter } from '../design/coverage-meter.tsx';
import { formatBytes, formatCount } from '../design/format.ts';
import { Icon } from '../design/icon.tsx';
import { Badge } from '../design/notice.tsx';
import type { MaintenanceKind, StoresQuery } from '../generated/graphql.ts';
import { COPY_STATES, galleryPath } from '../state/filter.ts';
import { stores as text } from '../text/stores.ts';
import type { StartKind } from './start-input.ts';
import styles from './stores.module.css';

type Store = StoresQuery['stores'][number];

export interface StoreCardProps {
  readonly store: Store;
  /** Kinds of runs that are active: another of that kind cannot start. */
  readonly busy: readonly MaintenanceKind[];
  /** Opens the dialog that starts a run; undefined: the caller may not. */
  readonly onStart: ((kind: StartKind, store: string) => void) | undefined;
}

/** A store: whether it responds, what it holds, and how much of it is verified. */
export const StoreCard = ({ store, busy, onStart }: StoreCardProps) => (
  <li className={styles.card}>
    <header className={styles.head}>
      <h2 className={styles.name}>{store.name}</h2>
      {store.kind === store.name ? null : <Badge>{store.kind}</Badge>}
      <Badge tone={store.reachable ? 'good' : 'bad'}>
        <Icon name={store.reachable ? 'check' : 'warning'} size={12} />
        {store.reachable ? text.reachable : text.notReachable}
      </Badge>
    </header>
    {store.error === null ? null : <p className={styles.fault}>{text.problemOf(store.error)}</p>}
    <dl className={styles.figures}>
      <div>
        <dt>{text.copies}</dt>
        <dd>{formatCount(store.copies)}</dd>
      </div>
      <div>
        <dt>{text.bytes}</dt>
        <dd>{formatBytes(store.bytes)}</dd>
      </div>
    </dl>
    <h3 className={styles.label}>{text.statesTitle}</h3>
    <CopyStates store={store} />
    <h3 className={styles.label}>{text.verifiedTitle}</h3>
    <CoverageMeter store={store} />
    {onStart ? (
      <footer className={styles.foot}>
        {(['VERIFY', 'RESTORE'] as const).map((kind) => (
          <Button
            key={kind}
            disabled={busy.includes(kind)}
            title={busy.includes(kind) ? text.isRunning[kind] : undefined}
            aria-label={kind === 'VERIFY' ? text.verifyOf(store.name) : text.restoreOf(store.name)}
            onClick={() => onStart(kind, store.name)}
          >
            {kind === 'VERIFY' ? text.verify : text.restore}
          </Button>
        ))}
      </footer>
    ) : null}
  </li>
);

const STATES = ['stored', ...COPY_STATES.filter((state) => state !== 'stored')] as const;

const TONES = { stored: '', pending: '', missing: styles.bad, corrupt: styles.bad, too_large: '' } as const;

/** Copies by state, each with a way to the images. */
function CopyStates({ store }: { readonly store: Store }) {
  const counts = {
    stored: store.copies,
    pending: store.pending,
    missing: store.missing,
    corrupt: store.corrupt,
    too_large: store.tooLarge,
  };
  return (
    <ul className={styles.states}>
      {STATES.map((state) => (
        <li key={state} className={counts[state] > 0 ? TONES[state] : ''}>
          <Link href={galleryPath({ store: store.name, copyState: state })}>{text.states[state]}</Link>
          <span>{formatCount(counts[state])}</span>
        </li>
      ))}
    </ul>
  );
}
