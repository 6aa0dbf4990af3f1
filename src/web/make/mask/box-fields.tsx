import { useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Field } from '../../design/field.tsx';
import { maskText as text } from '../../text/make.ts';
import type { MaskStep } from './history.ts';
import styles from './mask.module.css';

interface BoxFieldsProps {
  /** Size of the picture in pixels. */
  readonly width: number;
  readonly height: number;
  readonly onStep: (step: MaskStep) => void;
}

/** Paints or erases a box that numbers describe: the way without a pointer. */
export function BoxFields({ width, height, onStep }: BoxFieldsProps) {
  const [box, setBox] = useState({
    left: 0,
    top: 0,
    width: Math.round(width / 2),
    height: Math.round(height / 2),
  });
  const limits = { left: width, top: height, width, height };
  const draw = (erases: boolean) =>
    onStep({ kind: 'box', erases, x: box.left, y: box.top, width: box.width, height: box.height });
  return (
    <details className={styles.box}>
      <summary>{text.box}</summary>
      <p>{text.boxHint}</p>
      <div className={styles.numbers}>
        {(['left', 'top', 'width', 'height'] as const).map((side) => (
          <Field key={side} label={text[side]}>
            {(control) => (
              <input
                {...control}
                type="number"
                min={0}
                max={limits[side]}
                value={box[side]}
                onChange={({ target }) =>
                  setBox({
                    ...box,
                    [side]: Math.max(0, Math.min(limits[side], Math.round(target.valueAsNumber || 0))),
                  })
                }
              />
            )}
          </Field>
        ))}
      </div>
      <div className={styles.numberButtons}>
        <Button onClick={() => draw(false)}>{text.paintBox}</Button>
        <Button onClick={() => draw(true)}>{text.eraseBox}</Button>
      </div>
    </details>
  );
}
