import { useId, useState } from 'react';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { text as shared } from '../text/shared.ts';
import { stores as text } from '../text/stores.ts';
import { StartForm } from './start-form.tsx';
import type { StartKind } from './start-input.ts';

/** The run to start, and the store that is chosen at first; undefined: all stores. */
export interface StartRequest {
  readonly kind: StartKind;
  readonly store?: string;
}

interface StartDialogProps {
  /** null: the dialog is closed. */
  readonly request: StartRequest | null;
  /** Names of the stores. */
  readonly stores: readonly string[];
  readonly onClose: () => void;
  readonly onStarted: (id: string) => void;
}

/** Asks what to verify or restore, then starts it. */
export function StartDialog({ request, stores, onClose, onStarted }: StartDialogProps) {
  const form = useId();
  const [busy, setBusy] = useState(false);
  const kind = request?.kind ?? 'VERIFY';
  return (
    <Dialog
      title={text.dialogTitle[kind]}
      open={request !== null}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{shared.cancel}</Button>
          <Button kind="primary" type="submit" form={form} busy={busy} data-autofocus>
            {text.start[kind]}
          </Button>
        </>
      }
    >
      <StartForm
        id={form}
        kind={kind}
        stores={stores}
        chosen={request?.store === undefined ? stores : [request.store]}
        onBusy={setBusy}
        onStarted={(id) => {
          onClose();
          onStarted(id);
        }}
      />
    </Dialog>
  );
}
