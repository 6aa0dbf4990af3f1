import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatShort } from '../design/format.ts';
import { fillOf, type PlotColors, readColors } from './patterns.ts';
import styles from './plot.module.css';
import { stack, ticksOf } from './series.ts';

interface StackedBarsProps {
  /** Values by series and bucket, the lowest series first. */
  readonly values: readonly (readonly number[])[];
  /** Whether the last series stands for all other tools. */
  readonly hasOthers: boolean;
  /** Labels of the buckets; null: the plot has no labels below. */
  readonly labels: readonly string[] | null;
  readonly height: number;
  /** Bucket that is marked. */
  readonly marked: number | null;
  readonly onMark: (bucket: number | null) => void;
  readonly onPick: (bucket: number) => void;
  /** Changes when the plot must be drawn in other colours. */
  readonly theme: string;
}

/** Width of the axis of numbers, the same in each plot, so that days stand below each other. */
const AXIS = 44;
/** Room after the last bar, which holds half of its label. */
const END = 20;
/** Room that a label of a day needs, in CSS pixels. */
const LABEL = 72;
const FONT = '12px system-ui, sans-serif';

/** A plot of stacked bars on a canvas. */
export function StackedBars({
  values,
  hasOthers,
  labels,
  height,
  marked,
  onMark,
  onPick,
  theme,
}: StackedBarsProps) {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const callbacks = useRef({ onMark, onPick });
  callbacks.current = { onMark, onPick };

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours.
  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const made = makePlot(
      element,
      { values, hasOthers, labels, height },
      {
        onMark: (bucket) => callbacks.current.onMark(bucket),
        onPick: (bucket) => callbacks.current.onPick(bucket),
      },
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [values, hasOthers, labels, height, theme]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new plot needs its mark again.
  useEffect(() => {
    const present = plot.current;
    if (!present) return;
    const left = marked === null ? -10 : present.valToPos(marked, 'x');
    present.setCursor({ left, top: marked === null ? -10 : 0 }, false);
  }, [marked, values, hasOthers, labels, height, theme]);

  return <div ref={container} className={styles.canvas} style={{ height }} aria-hidden="true" />;
}

interface Listeners {
  readonly onMark: (bucket: number | null) => void;
  readonly onPick: (bucket: number) => void;
}

type PlotData = Pick<StackedBarsProps, 'values' | 'hasOthers' | 'labels' | 'height'>;

function makePlot(element: HTMLElement, data: PlotData, listeners: Listeners): UPlot {
  const { values, hasOthers, labels, height } = data;
  const colors = readColors(element);
  const count = values[0]?.length ?? 0;
  const last = values.length - 1;
  const plot = new UPlot(
    {
      width: element.clientWidth,
      height,
      padding: [8, END, labels ? 0 : 8, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.5, Math.max(0.5, count - 0.5)] }, y: { range: rangeOf } },
      axes: axesOf(colors, labels, count),
      // The highest bars come first; each later one covers the lower part of the one before.
      series: [
        {},
        ...values.map((_, place) => ({
          width: 0,
          points: { show: false },
          fill: (self: UPlot) => fillOf(self.ctx, colors, last - place, hasOthers && place === 0),
          paths: UPlot.paths.bars?.({ size: [0.8, 36] }) ?? (() => null),
        })),
      ],
      hooks: {
        // A new plot has no cursor either, but that says nothing of what is marked.
        setCursor: [(self) => self.cursor.event && listeners.onMark(self.cursor.idx ?? null)],
        draw: [(self) => separate(self, colors)],
      },
    },
    [Array.from({ length: count }, (_, index) => index), ...stack(values)],
    element,
  );
  plot.over.addEventListener('click', () => {
    const bucket = plot.cursor.idx;
    if (bucket !== null && bucket !== undefined) listeners.onPick(bucket);
  });
  return plot;
}

/** Begins the axis at zero, and ends it above the highest bar. */
const rangeOf: UPlot.Range.Function = (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.05)];

function axesOf(colors: PlotColors, labels: readonly string[] | null, count: number): UPlot.Axis[] {
  const lines = { stroke: colors.line, width: 1 };
  return [
    {
      show: labels !== null,
      font: FONT,
      stroke: colors.text,
      grid: { show: false },
      ticks: { show: false },
      size: 26,
      gap: 6,
      splits: (plot) => ticksOf(count, (plot.width - AXIS) / LABEL),
      values: (_plot, splits) => splits.map((index) => labels?.[index] ?? ''),
    },
    {
      font: FONT,
      stroke: colors.text,
      size: AXIS,
      gap: 6,
      space: 36,
      // Numbers of images are whole.
      incrs: [1, 2, 5]
        .flatMap((first) => Array.from({ length: 9 }, (_, power) => first * 10 ** power))
        .sort((a, b) => a - b),
      grid: lines,
      ticks: { show: false },
      values: (_plot, splits) => splits.map((value) => formatShort(value)),
    },
  ];
}

/** Draws a thin line between the parts of each bar. */
function separate(plot: UPlot, { surface }: PlotColors): void {
  const { ctx: context, data } = plot;
  const [xs, , ...lower] = data;
  const step = plot.bbox.width / Math.max(1, xs?.length ?? 1);
  context.save();
  context.fillStyle = surface;
  for (const heights of lower)
    for (const [index, value] of heights.entries()) {
      if (!value) continue;
      const x = plot.valToPos(index, 'x', true) - step / 2;
      const y = plot.valToPos(value, 'y', true);
      context.fillRect(x, Math.round(y), step, devicePixelRatio);
    }
  context.restore();
}
