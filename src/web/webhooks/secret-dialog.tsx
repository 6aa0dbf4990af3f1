import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Field } from '../design/field.tsx';
import { webhooks as text } from '../text/webhooks.ts';
import styles from './webhooks.module.css';

interface SecretDialogProps {
  /** The new secret; null: the dialog is closed. */
  readonly secret: string | null;
  readonly onClose: () => void;
}

/** Shows a new secret, this once. */
export const SecretDialog = ({ secret, onClose }: SecretDialogProps) => (
  <Dialog
    title={text.secretTitle}
    open={secret !== null}
    onClose={onClose}
    actions={
      <Button kind="primary" onClick={onClose}>
        {text.done}
      </Button>
    }
  >
    <p>{text.secretWarning}</p>
    <Field label={text.secretLabel}>
      {({ className, ...control }) => (
        <input
          {...control}
          className={`${className} ${styles.secret}`}
          readOnly
          value={secret ?? ''}
          onFocus={(event) => event.target.select()}
        />
      )}
    </Field>
  </Dialog>
);
