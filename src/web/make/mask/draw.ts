import type { MaskStep, Point } from './history.ts';

type Context = CanvasRenderingContext2D;

/** Draws one step of a mask; painted pixels become opaque. */
export function drawStep(context: Context, step: MaskStep): void {
  const { width, height } = context.canvas;
  context.save();
  switch (step.kind) {
    case 'clear':
      context.clearRect(0, 0, width, height);
      break;
    case 'invert':
      context.globalCompositeOperation = 'source-out';
      context.fillRect(0, 0, width, height);
      break;
    case 'box':
      context.globalCompositeOperation = step.erases ? 'destination-out' : 'source-over';
      context.fillRect(step.x, step.y, step.width, step.height);
      break;
    case 'stroke':
      context.globalCompositeOperation = step.erases ? 'destination-out' : 'source-over';
      drawLine(context, step.points, step.size);
  }
  context.restore();
}

function drawLine(context: Context, points: readonly Point[], size: number): void {
  const [first] = points;
  if (!first) return;
  context.beginPath();
  context.lineWidth = size;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.moveTo(first.x, first.y);
  // A line of no length draws a dot.
  for (const { x, y } of points) context.lineTo(x, y);
  context.stroke();
}

/** Colour of painted pixels on the screen. It is seen on most pictures. */
const PAINT = '#ff2d7e';

/** Clears the canvas, and draws all steps. */
export function drawAll(context: Context, steps: readonly MaskStep[]): void {
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.fillStyle = PAINT;
  context.strokeStyle = PAINT;
  for (const step of steps) drawStep(context, step);
}

/** Returns the mask as a PNG of the picture's size: transparent where it was painted, opaque elsewhere. */
export async function maskFileOf(painted: HTMLCanvasElement): Promise<File> {
  const { width, height } = painted;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = 'destination-out';
  context.drawImage(painted, 0, 0);
  return new File([await canvas.convertToBlob({ type: 'image/png' })], 'mask.png', { type: 'image/png' });
}
