import { useState } from 'react';
import { Button, IconButton } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { titleOf } from '../../design/title.ts';
import { useSignal } from '../../state/signal.ts';
import { bulk as text } from '../../text/gallery.ts';
import { text as common } from '../../text/shared.ts';
import { type BulkState, bulkState } from './actions.ts';
import styles from './bulk-status.module.css';

/** Progress of the action that runs; afterwards, the images for which it failed. */
export function BulkStatus() {
  const state = useSignal(bulkState);
  const [isShown, setShown] = useState(false);
  if (!state) return null;
  return (
    <>
      <div className={styles.status}>
        {state.isRunning ? (
          <Progress state={state} />
        ) : (
          <Failed state={state} onShow={() => setShown(true)} />
        )}
      </div>
      <Failures state={state} open={isShown && !state.isRunning} onClose={() => setShown(false)} />
    </>
  );
}

const Progress = ({ state: { label, done, total, stop } }: { readonly state: BulkState }) => (
  <>
    <span>{label}</span>
    <progress className={styles.progress} max={total} value={done} aria-label={label} />
    <span className={styles.count}>{text.progress(done, total)}</span>
    <Button kind="quiet" onClick={stop}>
      {text.stop}
    </Button>
  </>
);

const Failed = ({ state, onShow }: { readonly state: BulkState; readonly onShow: () => void }) => (
  <>
    <span className={styles.bad} role="status">
      {state.label}: {text.failures(state.failures.length, state.total)}
    </span>
    <Button kind="quiet" onClick={onShow}>
      {text.showFailures}
    </Button>
    <IconButton icon="close" label={common.close} onClick={() => bulkState.set(null)} />
  </>
);

interface FailuresProps {
  readonly state: BulkState;
  readonly open: boolean;
  readonly onClose: () => void;
}

/** Each image for which the action failed, with the reason. */
const Failures = ({ state: { label, failures, total, retry }, open, onClose }: FailuresProps) => (
  <Dialog
    title={`${label}: ${text.failures(failures.length, total)}`}
    open={open}
    onClose={onClose}
    actions={
      <Button
        kind="primary"
        icon="restore"
        onClick={() => {
          onClose();
          retry();
        }}
      >
        {text.retryFailed}
      </Button>
    }
  >
    <ul className={styles.failures}>
      {failures.map(({ tile, fault }) => (
        <li key={tile.id}>
          <strong>{titleOf(tile)}</strong>
          <span className={styles.bad}>{fault}</span>
        </li>
      ))}
    </ul>
  </Dialog>
);
