import { Link } from 'wouter';
import { formatCount, formatShare } from '../design/format.ts';
import { Meter, type MeterTone } from '../design/meter.tsx';
import { number } from '../design/page.tsx';
import type { OverviewQuery } from '../generated/graphql.ts';
import { DURABILITIES, type DurabilityName, type GalleryFilter, galleryPath } from '../state/filter.ts';
import { overview as text } from '../text/overview.ts';
import { ChartCard } from './chart-card.tsx';
import styles from './overview.module.css';

type Counts = OverviewQuery['imageStats']['byDurability'];

interface DurabilityCardProps {
  readonly counts: Counts;
  readonly filter: GalleryFilter;
}

const TONES: Record<DurabilityName, MeterTone> = {
  durable: 'good',
  degraded: 'fair',
  at_risk: 'warn',
  lost: 'bad',
};

const countOf = ({ durable, degraded, atRisk, lost }: Counts, name: DurabilityName) =>
  ({ durable, degraded, at_risk: atRisk, lost })[name];

/** How safe the bytes of the images are, with a way to the images behind each number. */
export function DurabilityCard({ counts, filter }: DurabilityCardProps) {
  const total = Math.max(
    1,
    DURABILITIES.reduce((sum, name) => sum + countOf(counts, name), 0),
  );
  const rows = DURABILITIES.map((name) => ({
    name,
    count: countOf(counts, name),
    share: formatShare(countOf(counts, name) / total),
    href: galleryPath({ ...filter, durability: [name] }),
    hint: text.durabilities[name].hint,
    label: text.durabilities[name].name,
  }));
  return (
    <ChartCard
      title={text.durability}
      table={
        <>
          <thead>
            <tr>
              <th scope="col">{text.columns.state}</th>
              <th scope="col" className={number}>
                {text.columns.images}
              </th>
              <th scope="col" className={number}>
                {text.columns.share}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, label, count, share, href }) => (
              <tr key={name}>
                <th scope="row">
                  <Link href={href}>{label}</Link>
                </th>
                <td className={number}>{formatCount(count)}</td>
                <td className={number}>{share}</td>
              </tr>
            ))}
          </tbody>
        </>
      }
    >
      <Meter
        parts={rows.map(({ name, label, count, share, href, hint }) => ({
          key: name,
          value: count,
          tone: TONES[name],
          children: (
            <span className={styles.part}>
              <Link href={href}>{label}</Link>
              <strong>{formatCount(count)}</strong>
              <span className={styles.share}>{share}</span>
              <span className={styles.note}>{hint}</span>
            </span>
          ),
        }))}
      />
    </ChartCard>
  );
}
