import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { bulk, trash as text } from '../text/gallery.ts';
import { text as common } from '../text/shared.ts';

interface EmptyDialogProps {
  readonly open: boolean;
  readonly count: number;
  readonly isExact: boolean;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
}

/** Asks before the whole trash is deleted. */
export const EmptyDialog = ({ open, count, isExact, onClose, onConfirm }: EmptyDialogProps) => (
  <Dialog
    title={text.emptyTitle(count, isExact)}
    open={open}
    onClose={onClose}
    actions={
      <>
        <Button onClick={onClose}>{common.cancel}</Button>
        <Button
          kind="danger"
          icon="trash"
          onClick={() => {
            onClose();
            onConfirm();
          }}
        >
          {text.emptyNow}
        </Button>
      </>
    }
  >
    <p>{bulk.purgeHint}</p>
  </Dialog>
);
