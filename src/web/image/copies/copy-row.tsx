import type { ReactNode } from 'react';
import { IconButton } from '../../design/button.tsx';
import { CopyButton } from '../../design/copy-button.tsx';
import { formatAgo, formatBytes, formatTime } from '../../design/format.ts';
import { Badge, type Tone } from '../../design/notice.tsx';
import type { CopyState, ImageCopyFragment } from '../../generated/graphql.ts';
import { copies as text } from '../../text/image-details.ts';
import styles from './copies.module.css';

const TONES: Readonly<Record<CopyState, Tone>> = {
  STORED: 'good',
  MISSING: 'bad',
  CORRUPT: 'bad',
  PENDING: 'neutral',
  TOO_LARGE: 'neutral',
};

interface RowProps {
  readonly isRunning: boolean;
  /** Why the copy was not restored. */
  readonly fault: string | undefined;
  readonly isRestored: boolean;
  /** Restores this copy; absent: the caller may not. */
  readonly onRestore: (() => void) | undefined;
}

/** One copy: its state, last check, size, error, key and address. */
export const CopyRow = ({ copy, ...row }: RowProps & { readonly copy: ImageCopyFragment }) => (
  <Row {...row} store={copy.store} state={copy.state} error={copy.error}>
    {copy.verifiedAt ? (
      <time dateTime={copy.verifiedAt} title={formatTime(copy.verifiedAt)}>
        {text.checked(formatAgo(copy.verifiedAt))}
      </time>
    ) : (
      text.neverChecked
    )}
    {copy.bytes === null || copy.bytes === undefined ? '' : ` · ${formatBytes(copy.bytes)}`}
    <Code name={text.key} value={copy.key} copyLabel={text.copyKey(copy.store)} />
    {copy.url ? <Code name={text.address} value={copy.url} copyLabel={text.copyAddress(copy.store)} /> : null}
  </Row>
);

/** A configured store that has no copy on record. */
export const AbsentCopyRow = (row: RowProps & { readonly store: string }) => (
  <Row {...row} state="PENDING" error={null}>
    {text.neverChecked}
  </Row>
);

interface InnerProps extends RowProps {
  readonly store: string;
  readonly state: CopyState;
  readonly error: string | null | undefined;
  readonly children: ReactNode;
}

const Row = ({ store, state, error, isRunning, fault, isRestored, onRestore, children }: InnerProps) => (
  <li className={[styles.copy, isRestored ? styles.restored : ''].filter(Boolean).join(' ')}>
    <div className={styles.line}>
      <strong>{store}</strong>
      <Badge tone={TONES[state]}>{text.states[state]}</Badge>
      {onRestore && state !== 'TOO_LARGE' ? (
        <IconButton
          className={[styles.restore, isRunning ? styles.turning : ''].filter(Boolean).join(' ')}
          icon="restore"
          label={text.restoreOne(store)}
          busy={isRunning}
          onClick={onRestore}
        />
      ) : null}
    </div>
    <div className={styles.soft}>{children}</div>
    {(fault ?? error) ? <p className={styles.bad}>{fault ?? error}</p> : null}
  </li>
);

interface CodeProps {
  readonly name: string;
  readonly value: string;
  readonly copyLabel: string;
}

const Code = ({ name, value, copyLabel }: CodeProps) => (
  <div className={styles.code}>
    <span>{name}</span>
    <code title={value}>{value}</code>
    <CopyButton className={styles.small ?? ''} value={value} label={copyLabel} />
  </div>
);
