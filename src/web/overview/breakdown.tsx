import { Link } from 'wouter';
import { formatBytes, formatCount, formatShare } from '../design/format.ts';
import { number } from '../design/page.tsx';
import { overview as text } from '../text/overview.ts';
import { BarList } from './bar-list.tsx';
import { ChartCard } from './chart-card.tsx';

/** Figures of one tool, model or user. */
export interface Part {
  readonly label: string;
  readonly total: number;
  readonly failed: number;
  readonly bytes: number;
  /** Address of its images; undefined: there is none. */
  readonly href: string | undefined;
  readonly failedHref: string | undefined;
}

interface BreakdownProps {
  readonly title: string;
  /** Head of the column of names. */
  readonly column: string;
  readonly parts: readonly Part[];
}

const { columns } = text;

/** Bars of the images by tool, model or user. */
export const Breakdown = ({ title, column, parts }: BreakdownProps) => (
  <ChartCard title={title} table={<PartsTable column={column} parts={parts} />}>
    <BarList
      bars={parts.map(({ label, total, failed, href, failedHref }) => ({
        key: label,
        label,
        value: total,
        shown: formatCount(total),
        href,
        failed,
        failedHref,
      }))}
    />
  </ChartCard>
);

const PartsTable = ({ column, parts }: Omit<BreakdownProps, 'title'>) => (
  <>
    <thead>
      <tr>
        <th scope="col">{column}</th>
        {[columns.images, columns.failed, columns.rate, columns.bytes].map((name) => (
          <th key={name} scope="col" className={number}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {parts.map(({ label, total, failed, bytes, href }) => (
        <tr key={label}>
          <th scope="row">{href ? <Link href={href}>{label}</Link> : label}</th>
          <td className={number}>{formatCount(total)}</td>
          <td className={number}>{formatCount(failed)}</td>
          <td className={number}>{formatShare(total === 0 ? 0 : (total - failed) / total)}</td>
          <td className={number}>{formatBytes(bytes)}</td>
        </tr>
      ))}
    </tbody>
  </>
);
