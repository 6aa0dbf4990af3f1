import { useId, useState } from 'react';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Icon } from '../design/icon.tsx';
import { copyText } from '../state/clipboard.ts';
import { text as shared } from '../text/shared.ts';
import { tokens as text } from '../text/tokens.ts';
import styles from './tokens.module.css';

interface NewTokenDialogProps {
  /** The new token; null: the dialog is closed. */
  readonly made: { readonly name: string; readonly token: string } | null;
  readonly onClose: () => void;
}

/** Shows a new token, this once. */
export function NewTokenDialog({ made, onClose }: NewTokenDialogProps) {
  const id = useId();
  // A toast would stand behind the dialog.
  const [isCopied, setCopied] = useState<boolean | null>(null);
  const copy = async () => setCopied(await copyText(made?.token ?? ''));
  const close = () => {
    setCopied(null);
    onClose();
  };
  return (
    <Dialog
      title={text.newTitle}
      open={made !== null}
      onClose={close}
      actions={
        <Button kind="primary" onClick={close}>
          {text.done}
        </Button>
      }
    >
      <p className={styles.warning}>
        <Icon name="warning" />
        {text.newWarning}
      </p>
      <div className={styles.made}>
        <label htmlFor={id}>{text.newLabel(made?.name ?? '')}</label>
        <div className={styles.copy}>
          <input
            id={id}
            className={styles.token}
            readOnly
            value={made?.token ?? ''}
            onFocus={(event) => event.target.select()}
          />
          <Button icon={isCopied ? 'check' : 'copy'} data-autofocus onClick={copy}>
            {isCopied ? shared.copied : shared.copy}
          </Button>
        </div>
        <p className={isCopied === false ? styles.fault : styles.note} role="status">
          {isCopied === null ? '' : isCopied ? text.copied : text.notCopied}
        </p>
      </div>
      <div className={styles.made}>
        <p>{text.newUse}</p>
        <code className={styles.header}>Authorization: Bearer {made?.token}</code>
      </div>
    </Dialog>
  );
}
