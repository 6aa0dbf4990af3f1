import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { bulk as text } from '../../text/gallery.ts';
import { text as common } from '../../text/shared.ts';
import type { Tile } from '../list/list.ts';

interface PurgeDialogProps {
  /** Images to delete; null: closed. */
  readonly tiles: readonly Tile[] | null;
  /** Whether every image of the filter is deleted. */
  readonly isAll: boolean;
  readonly onClose: () => void;
  readonly onConfirm: (tiles: readonly Tile[]) => void;
}

/** Asks before images are deleted permanently. */
export function PurgeDialog({ tiles, isAll, onClose, onConfirm }: PurgeDialogProps) {
  const confirm = () => {
    onClose();
    onConfirm(tiles ?? []);
  };
  return (
    <Dialog
      title={isAll ? text.purgeAllTitle : text.purgeTitle(tiles?.length ?? 0)}
      open={tiles !== null}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="danger" icon="trash" onClick={confirm}>
            {text.purge}
          </Button>
        </>
      }
    >
      <p>{text.purgeHint}</p>
    </Dialog>
  );
}
