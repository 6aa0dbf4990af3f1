import { useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { maskText as text } from '../../text/make.ts';
import { text as shared } from '../../text/shared.ts';
import { BoxFields } from './box-fields.tsx';
import { maskFileOf } from './draw.ts';
import { addStep, isEmpty, type MaskHistory, type MaskStep, NO_STEPS, redo, undo } from './history.ts';
import styles from './mask.module.css';
import { MaskTools } from './mask-tools.tsx';
import { type Brush, Painter } from './painter.tsx';
import { usePicture } from './use-picture.ts';

interface MaskDialogProps {
  /** Address of the picture. */
  readonly url: string;
  /** Strokes of the present mask. */
  readonly history: MaskHistory | undefined;
  readonly onClose: () => void;
  /** Called with the mask; null: nothing is painted. */
  readonly onDone: (mask: File | null, history: MaskHistory) => void;
}

/** Paints a mask over a picture. */
export default function MaskDialog({ url, history: former = NO_STEPS, onClose, onDone }: MaskDialogProps) {
  const [history, setHistory] = useState(former);
  const [brush, setBrush] = useState<Brush>({ share: 0.08, erases: false });
  const [canvas, setCanvas] = useState<HTMLCanvasElement | null>(null);
  const picture = usePicture(url);
  const step = (added: MaskStep) => setHistory(addStep(history, added));
  const use = async () => onDone(canvas && !isEmpty(history) ? await maskFileOf(canvas) : null, history);
  return (
    <Dialog
      title={text.title}
      open
      onClose={onClose}
      isWide
      actions={
        <>
          <Button onClick={onClose}>{shared.cancel}</Button>
          <Button kind="primary" icon="check" disabled={canvas === null} onClick={() => void use()}>
            {text.use}
          </Button>
        </>
      }
    >
      <MaskTools
        brush={brush}
        onBrush={setBrush}
        history={history}
        onUndo={() => setHistory(undo(history))}
        onRedo={() => setHistory(redo(history))}
        onStep={step}
      />
      {typeof picture === 'string' ? (
        <p className={styles.state} role={picture === 'failed' ? 'alert' : 'status'}>
          {picture === 'failed' ? text.unreadable : text.loading}
        </p>
      ) : (
        <>
          <Painter picture={picture} history={history} brush={brush} onStep={step} onCanvas={setCanvas} />
          <BoxFields width={picture.naturalWidth} height={picture.naturalHeight} onStep={step} />
        </>
      )}
    </Dialog>
  );
}
