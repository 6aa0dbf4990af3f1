import { type PointerEvent, useLayoutEffect, useRef } from 'react';
import { maskText as text } from '../../text/make.ts';
import { drawAll, drawStep } from './draw.ts';
import { effective, type MaskHistory, type MaskStep, type Point } from './history.ts';
import styles from './mask.module.css';

export interface Brush {
  /** Diameter as a share of the longer side of the picture. */
  readonly share: number;
  readonly erases: boolean;
}

interface PainterProps {
  readonly picture: HTMLImageElement;
  readonly history: MaskHistory;
  readonly brush: Brush;
  readonly onStep: (step: MaskStep) => void;
  readonly onCanvas: (canvas: HTMLCanvasElement | null) => void;
}

/** The picture, with the mask as a canvas of the same pixels above it. */
export function Painter({ picture, history, brush, onStep, onCanvas }: PainterProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const stroke = useRef<Point[] | null>(null);
  const { naturalWidth: width, naturalHeight: height } = picture;
  const size = Math.max(1, Math.round(Math.max(width, height) * brush.share));
  useLayoutEffect(() => {
    onCanvas(canvas.current);
    return () => onCanvas(null);
  }, [onCanvas]);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context) drawAll(context, effective(history));
  }, [history]);

  const begin = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!event.isPrimary || event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    stroke.current = [];
    extend(event);
  };
  const extend = (event: PointerEvent<HTMLCanvasElement>) => {
    const points = stroke.current;
    const context = canvas.current?.getContext('2d');
    if (!points || !context || !event.isPrimary) return;
    const moves = event.nativeEvent.getCoalescedEvents?.() ?? [];
    const added = (moves.length > 0 ? moves : [event.nativeEvent]).map((each) =>
      pointOf(each, event.currentTarget),
    );
    const last = points.at(-1);
    points.push(...added);
    drawStep(context, {
      kind: 'stroke',
      erases: brush.erases,
      size,
      points: last ? [last, ...added] : added,
    });
  };
  const end = () => {
    const points = stroke.current;
    stroke.current = null;
    if (points && points.length > 0) onStep({ kind: 'stroke', erases: brush.erases, size, points });
  };
  return (
    <div
      className={styles.stage}
      style={{ aspectRatio: `${width} / ${height}`, maxWidth: `${(58 * width) / height}dvh` }}
    >
      <img src={picture.src} alt="" draggable={false} />
      <canvas
        ref={canvas}
        className={styles.canvas}
        width={width}
        height={height}
        role="img"
        aria-label={text.canvas}
        onPointerDown={begin}
        onPointerMove={extend}
        onPointerUp={end}
        onPointerCancel={end}
      />
    </div>
  );
}

/** Returns the pixel of the picture below a pointer. */
function pointOf({ clientX, clientY }: MouseEvent, canvas: HTMLCanvasElement): Point {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return {
    x: ((clientX - left) * canvas.width) / width,
    y: ((clientY - top) * canvas.height) / height,
  };
}
