import { Suspense, useMemo } from 'react';
import { Link } from 'wouter';
import { formatCount, formatDay } from '../design/format.ts';
import { loadLater } from '../design/load-later.tsx';
import { number } from '../design/page.tsx';
import { type GalleryFilter, galleryPath } from '../state/filter.ts';
import { useMedia } from '../state/media.ts';
import { overview as text } from '../text/overview.ts';
import { ChartCard } from './chart-card.tsx';
import styles from './overview.module.css';
import { type Bucket, type DayRow, makeSeries, ROOM, type Series, sum } from './series.ts';

const DayPlot = loadLater(() => import('./day-plot.tsx'));

interface ByDayProps {
  readonly rows: readonly DayRow[];
  readonly from: string | undefined;
  readonly today: string;
  readonly filter: GalleryFilter;
}

/** Made and failed images by day and tool. */
export function ByDay({ rows, from, today, filter }: ByDayProps) {
  const room = useMedia('(max-width: 40rem)') ? ROOM.narrow : ROOM.wide;
  const series = useMemo(() => makeSeries(rows, from, today, room), [rows, from, today, room]);
  const hrefOf = ({ bucket, tool }: { bucket?: Bucket; tool?: string }) =>
    galleryPath({ ...filter, ...(bucket ?? {}), ...(tool === undefined ? {} : { tool }) });
  return (
    <ChartCard title={text.byDay[series.step]} table={<DayTable series={series} hrefOf={hrefOf} />}>
      <div className={styles.plot}>
        <Suspense fallback={null}>
          <DayPlot series={series} hrefOf={hrefOf} />
        </Suspense>
      </div>
    </ChartCard>
  );
}

interface DayTableProps {
  readonly series: Series;
  readonly hrefOf: (which: { bucket: Bucket }) => string;
}

const { columns } = text;

/** The days with images, newest first: made and failed in all, then made by each tool. */
function DayTable({ series: { buckets, tools, step }, hrefOf }: DayTableProps) {
  const rows = buckets
    .map((bucket, place) => ({
      bucket,
      made: tools.map((tool) => tool.made[place] ?? 0),
      failed: sum(tools.map((tool) => tool.failed[place] ?? 0)),
    }))
    .filter(({ made, failed }) => sum(made) + failed > 0)
    .reverse();
  return (
    <>
      <thead>
        <tr>
          <th scope="col">{columns[step]}</th>
          <th scope="col" className={number}>
            {text.made}
          </th>
          <th scope="col" className={number}>
            {text.failed}
          </th>
          {tools.map(({ tool }) => (
            <th key={tool ?? ''} scope="col" className={number}>
              {tool ?? text.others}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ bucket, made, failed }) => (
          <tr key={bucket.from}>
            <th scope="row">
              <Link href={hrefOf({ bucket })}>{formatDay(bucket.from)}</Link>
            </th>
            <td className={number}>{formatCount(sum(made))}</td>
            <td className={number}>{formatCount(failed)}</td>
            {made.map((value, place) => (
              <td key={tools[place]?.tool ?? ''} className={number}>
                {formatCount(value)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </>
  );
}
