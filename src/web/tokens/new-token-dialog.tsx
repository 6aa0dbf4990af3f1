import { useId } from 'react';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Icon } from '../design/icon.tsx';
import { showToast } from '../design/toast.tsx';
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
  return (
    <Dialog
      title={text.newTitle}
      open={made !== null}
      onClose={onClose}
      actions={
        <Button kind="primary" onClick={onClose}>
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
          <Button icon="copy" data-autofocus onClick={() => copy(made?.token ?? '', id)}>
            {shared.copy}
          </Button>
        </div>
      </div>
      <div className={styles.made}>
        <p>{text.newUse}</p>
        <code className={styles.header}>Authorization: Bearer {made?.token}</code>
      </div>
    </Dialog>
  );
}

/** Copies the token. Without access to the clipboard, which plain HTTP lacks, it selects the text. */
async function copy(token: string, id: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(token);
    showToast(text.copied);
  } catch {
    const field = document.getElementById(id);
    if (field instanceof HTMLInputElement) field.select();
    showToast(text.notCopied, { tone: 'bad' });
  }
}
