import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { actions } from '../../text/image.ts';
import { text } from '../../text/shared.ts';
import { useWayBack } from '../way-back.ts';
import { useImageActions } from './use-actions.ts';

interface PurgeDialogProps {
  readonly image: { readonly id: string };
  readonly open: boolean;
  readonly onClose: () => void;
}

/** Asks before an image is deleted permanently, then goes back to the gallery. */
export function PurgeDialog({ image, open, onClose }: PurgeDialogProps) {
  const { isBusy, purge } = useImageActions(image);
  const goBack = useWayBack();
  const confirm = async () => {
    const isPurged = await purge();
    onClose();
    if (isPurged) goBack();
  };
  return (
    <Dialog
      title={actions.purgeTitle}
      open={open}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{text.cancel}</Button>
          <Button kind="danger" icon="trash" busy={isBusy} onClick={confirm}>
            {actions.purge}
          </Button>
        </>
      }
    >
      <p>{actions.purgeHint}</p>
    </Dialog>
  );
}
