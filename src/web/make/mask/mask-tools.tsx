import { useId } from 'react';
import { Button } from '../../design/button.tsx';
import { maskText as text } from '../../text/make.ts';
import type { MaskHistory, MaskStep } from './history.ts';
import styles from './mask.module.css';
import type { Brush } from './painter.tsx';

interface MaskToolsProps {
  readonly brush: Brush;
  readonly onBrush: (brush: Brush) => void;
  readonly history: MaskHistory;
  readonly onUndo: () => void;
  readonly onRedo: () => void;
  readonly onStep: (step: MaskStep) => void;
}

/** The brush, and what changes the whole mask. */
export function MaskTools({ brush, onBrush, history, onUndo, onRedo, onStep }: MaskToolsProps) {
  const id = useId();
  return (
    <div className={styles.tools}>
      <Button
        icon="brush"
        aria-pressed={!brush.erases}
        className={brush.erases ? undefined : styles.pressed}
        onClick={() => onBrush({ ...brush, erases: false })}
      >
        {text.paint}
      </Button>
      <Button
        icon="close"
        aria-pressed={brush.erases}
        className={brush.erases ? styles.pressed : undefined}
        onClick={() => onBrush({ ...brush, erases: true })}
      >
        {text.erase}
      </Button>
      <label className={styles.size} htmlFor={id}>
        {text.size}
        <input
          id={id}
          type="range"
          min={1}
          max={40}
          value={Math.round(brush.share * 100)}
          onChange={({ target }) => onBrush({ ...brush, share: Number(target.value) / 100 })}
        />
      </label>
      <span className={styles.changes}>
        <Button kind="quiet" disabled={history.steps.length === 0} onClick={onUndo}>
          {text.undo}
        </Button>
        <Button kind="quiet" disabled={history.undone.length === 0} onClick={onRedo}>
          {text.redo}
        </Button>
        <Button kind="quiet" onClick={() => onStep({ kind: 'invert' })}>
          {text.invert}
        </Button>
        <Button kind="quiet" disabled={history.steps.length === 0} onClick={() => onStep({ kind: 'clear' })}>
          {text.clear}
        </Button>
      </span>
    </div>
  );
}
