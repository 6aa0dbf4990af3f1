/** The strokes of a mask, with undo and redo. Coordinates are pixels of the picture. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export type MaskStep =
  | {
      readonly kind: 'stroke';
      readonly erases: boolean;
      /** Diameter in pixels. */
      readonly size: number;
      readonly points: readonly Point[];
    }
  | {
      readonly kind: 'box';
      readonly erases: boolean;
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    }
  | { readonly kind: 'clear' | 'invert' };

export interface MaskHistory {
  readonly steps: readonly MaskStep[];
  /** Steps that were undone, the next one to redo last. */
  readonly undone: readonly MaskStep[];
}

export const NO_STEPS: MaskHistory = { steps: [], undone: [] };

/** Adds a step. Steps that were undone are lost. */
export const addStep = ({ steps }: MaskHistory, step: MaskStep): MaskHistory => ({
  steps: [...steps, step],
  undone: [],
});

export function undo({ steps, undone }: MaskHistory): MaskHistory {
  const last = steps.at(-1);
  return last ? { steps: steps.slice(0, -1), undone: [...undone, last] } : { steps, undone };
}

export function redo({ steps, undone }: MaskHistory): MaskHistory {
  const next = undone.at(-1);
  return next ? { steps: [...steps, next], undone: undone.slice(0, -1) } : { steps, undone };
}

/** Returns the steps that still matter: those after the last `clear`. */
export function effective({ steps }: MaskHistory): readonly MaskStep[] {
  return steps.slice(steps.findLastIndex(({ kind }) => kind === 'clear') + 1);
}

/** Whether the mask leaves the whole picture as it is, as far as the steps tell. */
export function isEmpty(history: MaskHistory): boolean {
  return !effective(history).some((step) => step.kind === 'invert' || ('erases' in step && !step.erases));
}
