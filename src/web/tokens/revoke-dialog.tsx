import { useState } from 'react';
import { useMutation } from 'urql';
import { faultOf } from '../client/errors.ts';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { showToast } from '../design/toast.tsx';
import { RevokeTokenDocument } from '../generated/graphql.ts';
import { text as shared } from '../text/shared.ts';
import { tokens as text } from '../text/tokens.ts';
import styles from './tokens.module.css';

interface RevokeDialogProps {
  /** The token to revoke; null: the dialog is closed. */
  readonly token: { readonly id: string; readonly name: string } | null;
  readonly onClose: () => void;
}

export function RevokeDialog({ token, onClose }: RevokeDialogProps) {
  const [{ fetching }, revoke] = useMutation(RevokeTokenDocument);
  const [fault, setFault] = useState<string | null>(null);
  const close = () => {
    setFault(null);
    onClose();
  };
  const submit = async () => {
    if (!token) return;
    const failure = faultOf(await revoke({ input: { id: token.id } }));
    if (failure !== null) return setFault(failure);
    showToast(text.revoked(token.name));
    close();
  };
  return (
    <Dialog
      title={text.revokeTitle(token?.name ?? '')}
      open={token !== null}
      onClose={close}
      actions={
        <>
          <Button onClick={close} data-autofocus>
            {shared.cancel}
          </Button>
          <Button kind="danger" busy={fetching} onClick={submit}>
            {text.revoke}
          </Button>
        </>
      }
    >
      <p>{text.revokeHint}</p>
      {fault ? (
        <p className={styles.fault} role="alert">
          {fault}
        </p>
      ) : null}
    </Dialog>
  );
}
