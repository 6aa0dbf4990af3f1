import type { ReactNode } from 'react';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatMonth,
  formatSeconds,
  formatUsd,
} from '../design/format.ts';
import { Card, number, Table } from '../design/page.tsx';
import type { OverviewDurationsFragment, OverviewQuery } from '../generated/graphql.ts';
import { type GalleryFilter, galleryPath } from '../state/filter.ts';
import { overview as text } from '../text/overview.ts';
import { BarList } from './bar-list.tsx';
import { Breakdown } from './breakdown.tsx';
import { ChartCard } from './chart-card.tsx';
import styles from './overview.module.css';

type Stats = OverviewQuery['imageStats'];

interface MoreFiguresProps {
  readonly stats: Stats;
  readonly filter: GalleryFilter;
}

const { columns } = text;

const formatTook = (seconds: number) => (seconds < 60 ? formatSeconds(seconds) : formatDuration(seconds));

/** Providers, hours, errors, times, spend and growth. */
export const MoreFigures = ({ stats, filter }: MoreFiguresProps) => (
  <div className={styles.grid}>
    <Breakdown
      title={text.providers}
      column={columns.provider}
      parts={stats.byProvider.map(({ provider, ...figures }) => ({
        ...figures,
        label: provider ?? text.noProvider,
        href: provider === null ? undefined : galleryPath({ ...filter, provider: provider ?? undefined }),
        failedHref: undefined,
      }))}
    />
    <Breakdown
      title={text.hours}
      column={columns.hour}
      parts={stats.byHour.map(({ hour, ...figures }) => ({
        ...figures,
        label: `${String(hour).padStart(2, '0')}:00`,
        href: undefined,
        failedHref: undefined,
      }))}
    />
    {stats.byErrorCode.length > 0 ? <Errors stats={stats} filter={filter} /> : null}
    <Times queue={stats.queueSeconds} generation={stats.generationSeconds} />
    <Spend spend={stats.spend} />
    <Growth days={stats.byDay} />
  </div>
);

const Errors = ({ stats, filter }: MoreFiguresProps) => (
  <ChartCard
    title={text.errors}
    table={
      <>
        <Head names={[columns.code, columns.failed]} />
        <tbody>
          {stats.byErrorCode.map(({ code, total }) => (
            <Row key={code} name={code} cells={[formatCount(total)]} />
          ))}
        </tbody>
      </>
    }
  >
    <BarList
      bars={stats.byErrorCode.map(({ code, total }) => ({
        key: code,
        label: code,
        value: total,
        shown: formatCount(total),
        href: galleryPath({ ...filter, status: ['failed'] }),
      }))}
    />
  </ChartCard>
);

interface TimesProps {
  readonly queue: OverviewDurationsFragment | null | undefined;
  readonly generation: OverviewDurationsFragment | null | undefined;
}

function Times({ queue, generation }: TimesProps) {
  const { times } = text;
  const rows = [
    [times.queue, queue],
    [times.generation, generation],
  ] as const;
  return (
    <Card title={times.title}>
      {queue || generation ? (
        <div className={styles.table}>
          <Table label={times.title}>
            <Head names={[times.kind, columns.images, times.median, times.p95, times.p99, times.longest]} />
            <tbody>
              {rows.map(([name, all]) =>
                all ? (
                  <Row
                    key={name}
                    name={name}
                    cells={[
                      formatCount(all.images),
                      ...[all.median, all.p95, all.p99, all.longest].map(formatTook),
                    ]}
                  />
                ) : null,
              )}
            </tbody>
          </Table>
        </div>
      ) : (
        <p className={styles.note}>{times.none}</p>
      )}
    </Card>
  );
}

function Spend({ spend: { usd, images, unknown, byModel } }: { readonly spend: Stats['spend'] }) {
  const { spend } = text;
  if (usd == null)
    return (
      <Card title={spend.title}>
        <p className={styles.note}>{spend.unknown}</p>
      </Card>
    );
  return (
    <Card title={spend.title}>
      <p className={styles.note}>{spend.total(formatUsd(usd), formatCount(images), formatCount(unknown))}</p>
      <div className={styles.table}>
        <Table label={spend.title}>
          <Head names={[columns.model, spend.usd, spend.images, spend.without]} />
          <tbody>
            {byModel.map((each) => (
              <Row
                key={each.model ?? ''}
                name={each.model ?? text.noModel}
                cells={[
                  each.usd == null ? '–' : formatUsd(each.usd),
                  formatCount(each.images),
                  formatCount(each.unknown),
                ]}
              />
            ))}
          </tbody>
        </Table>
      </div>
    </Card>
  );
}

/** Size at the end of each month. @param days newest first. */
function Growth({ days }: { readonly days: Stats['byDay'] }) {
  const months = new Map<string, number>();
  for (const { day, cumulativeBytes } of days) {
    const month = day.slice(0, 7);
    if (!months.has(month)) months.set(month, Number(cumulativeBytes));
  }
  const rows = [...months].map(([month, bytes]) => ({ month, label: formatMonth(month), bytes }));
  return (
    <ChartCard
      title={text.growth}
      note={text.growthNote}
      table={
        <>
          <Head names={[columns.month, columns.bytes]} />
          <tbody>
            {rows.map(({ month, label, bytes }) => (
              <Row key={month} name={label} cells={[formatBytes(bytes)]} />
            ))}
          </tbody>
        </>
      }
    >
      <BarList
        bars={rows.map(({ month, label, bytes }) => ({
          key: month,
          label,
          value: bytes,
          shown: formatBytes(bytes),
        }))}
      />
    </ChartCard>
  );
}

/** Head of a table: a column of names, then columns of numbers. */
const Head = ({ names: [first, ...others] }: { readonly names: readonly string[] }) => (
  <thead>
    <tr>
      <th scope="col">{first}</th>
      {others.map((name) => (
        <th key={name} scope="col" className={number}>
          {name}
        </th>
      ))}
    </tr>
  </thead>
);

const Row = ({ name, cells }: { readonly name: ReactNode; readonly cells: readonly string[] }) => (
  <tr>
    <th scope="row">{name}</th>
    {cells.map((cell, place) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: the columns never change their places.
      <td key={place} className={number}>
        {cell}
      </td>
    ))}
  </tr>
);
