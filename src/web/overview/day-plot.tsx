import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { Link, useLocation } from 'wouter';
import { formatCount, formatDay, formatDayShort } from '../design/format.ts';
import { useMedia } from '../state/media.ts';
import { useSignal } from '../state/signal.ts';
import { theme } from '../state/theme.ts';
import { overview as text } from '../text/overview.ts';
import { DayTooltip } from './day-tooltip.tsx';
import { fillOf, readColors } from './patterns.ts';
import styles from './plot.module.css';
import type { Bucket, Series } from './series.ts';
import { sum } from './series.ts';
import { StackedBars } from './stacked-bars.tsx';

interface DayPlotProps {
  readonly series: Series;
  /** Returns the address of the images of a bucket, of a tool, or of both. */
  readonly hrefOf: (which: { readonly bucket?: Bucket; readonly tool?: string }) => string;
}

/** Heights of the two plots, in CSS pixels; `overview.module.css` reserves the room. */
const HEIGHTS = { made: 200, failed: 110 };

/** Returns a text that changes with the colours of the page. */
const useThemeName = () => `${useSignal(theme)} ${useMedia('(prefers-color-scheme: dark)')}`;

/** Returns the days of a bucket as a text. */
const nameOf = ({ from, to }: Bucket) =>
  from === to ? formatDay(from) : text.span(formatDay(from), formatDay(to));

/** Made and failed images by day and tool: two plots with one scale of days. */
export default function DayPlot({ series, hrefOf }: DayPlotProps) {
  const { buckets, tools } = series;
  const [marked, setMarked] = useState<number | null>(null);
  const [, navigate] = useLocation();
  const present = useThemeName();
  const made = useMemo(() => tools.map((tool) => tool.made), [tools]);
  const failed = useMemo(() => tools.map((tool) => tool.failed), [tools]);
  const labels = useMemo(() => buckets.map(({ from }) => formatDayShort(from)), [buckets]);
  const isTouch = useRef(false);
  const notePointer = ({ pointerType }: PointerEvent) => {
    isTouch.current = pointerType === 'touch';
  };
  const open = (bucket: number) => navigate(hrefOf({ bucket: buckets[bucket] as Bucket }));
  const shared = {
    hasOthers: tools.at(-1)?.tool === null,
    marked,
    theme: present,
    onMark: setMarked,
    // A tap reads a day; the link below the plot opens it.
    onPick: (bucket: number) => (isTouch.current ? setMarked(bucket) : open(bucket)),
  };
  const bucket = marked === null ? undefined : buckets[marked];
  return (
    <div className={styles.plot}>
      <Legend series={series} theme={present} hrefOf={hrefOf} />
      <Reader series={series} marked={marked} onMark={setMarked} onOpen={open}>
        <div onPointerDown={notePointer}>
          <p className={styles.part}>{text.made}</p>
          <StackedBars {...shared} values={made} labels={null} height={HEIGHTS.made} />
          <p className={styles.part}>{text.failed}</p>
          <StackedBars {...shared} values={failed} labels={labels} height={HEIGHTS.failed} />
        </div>
        {bucket && marked !== null ? (
          <DayTooltip series={series} place={marked} title={nameOf(bucket)} />
        ) : null}
      </Reader>
      <div className={styles.foot}>
        <p className={styles.hint}>
          {bucket ? <Link href={hrefOf({ bucket })}>{text.showDay(nameOf(bucket))}</Link> : text.plotHint}
        </p>
      </div>
    </div>
  );
}

interface ReaderProps {
  readonly series: Series;
  readonly marked: number | null;
  readonly onMark: (bucket: number | null) => void;
  readonly onOpen: (bucket: number) => void;
  readonly children: ReactNode;
}

/** Lets the arrow keys read the plot day by day; screen readers say each day. */
function Reader({ series: { buckets, tools }, marked, onMark, onOpen, children }: ReaderProps) {
  const last = buckets.length - 1;
  const present = marked ?? last;
  const count = (name: 'made' | 'failed') => formatCount(sum(tools.map((tool) => tool[name][present] ?? 0)));
  const move = (event: KeyboardEvent) => {
    const next = placeAfter(event.key, marked, last);
    if (event.key === 'Enter') onOpen(present);
    else if (event.key === 'Escape') onMark(null);
    else if (next === undefined) return;
    else onMark(next);
    event.preventDefault();
  };
  return (
    <div
      className={styles.reader}
      role="slider"
      tabIndex={0}
      aria-label={text.plotLabel}
      aria-valuemin={1}
      aria-valuemax={buckets.length}
      aria-valuenow={present + 1}
      aria-valuetext={text.readDay(nameOf(buckets[present] as Bucket), count('made'), count('failed'))}
      onKeyDown={move}
      onFocus={(event) => event.target.matches(':focus-visible') && onMark(present)}
      onBlur={() => onMark(null)}
    >
      {children}
    </div>
  );
}

/** Returns where a key leads from a place; undefined: it leads nowhere. */
function placeAfter(key: string, marked: number | null, last: number): number | undefined {
  const from = marked ?? last + 1;
  const to: Record<string, number> = {
    ArrowLeft: from - 1,
    ArrowDown: from - 1,
    ArrowRight: from + 1,
    ArrowUp: from + 1,
    PageDown: from - 7,
    PageUp: from + 7,
    Home: 0,
    End: last,
  };
  const next = to[key];
  return next === undefined ? undefined : Math.max(0, Math.min(last, next));
}

interface LegendProps extends DayPlotProps {
  readonly theme: string;
}

/** The tools with their colours and patterns. */
const Legend = ({ series: { tools }, theme: present, hrefOf }: LegendProps) => (
  <ul className={styles.legend}>
    {tools.map(({ tool, made, failed }, place) => (
      <li key={tool ?? ''}>
        <Link href={hrefOf(tool === null ? {} : { tool })}>
          <Swatch place={place} isOthers={tool === null} theme={present} />
          {tool ?? text.others} <span className={styles.hint}>{formatCount(sum(made) + sum(failed))}</span>
        </Link>
      </li>
    ))}
  </ul>
);

interface SwatchProps {
  readonly place: number;
  readonly isOthers: boolean;
  readonly theme: string;
}

/** A sample of a colour and its pattern. */
function Swatch({ place, isOthers, theme: present }: SwatchProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours.
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context) return;
    const side = Math.round(16 * devicePixelRatio);
    element.width = side;
    element.height = side;
    context.fillStyle = fillOf(context, readColors(document.body), place, isOthers);
    context.fillRect(0, 0, side, side);
  }, [place, isOthers, present]);
  return <canvas ref={canvas} className={styles.swatch} />;
}
