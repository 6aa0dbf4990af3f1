import { formatCount } from '../design/format.ts';
import { overview as text } from '../text/overview.ts';
import styles from './plot.module.css';
import { type Series, sum } from './series.ts';

interface DayTooltipProps {
  readonly series: Series;
  readonly place: number;
  readonly title: string;
}

/** The figures of one day, beside it. Screen readers get them from the plot and from the table. */
export function DayTooltip({ series: { buckets, tools }, place, title }: DayTooltipProps) {
  const share = (place + 0.5) / buckets.length;
  const rows = tools.filter(({ made, failed }) => (made[place] ?? 0) + (failed[place] ?? 0) > 0);
  const total = (name: 'made' | 'failed') => formatCount(sum(tools.map((tool) => tool[name][place] ?? 0)));
  // It stands on the side with more room.
  const left = `calc(44px + (100% - 52px) * ${share} ${share > 0.5 ? '-' : '+'} 12px)`;
  return (
    <div
      className={styles.tooltip}
      style={{ left, ...(share > 0.5 ? { transform: 'translateX(-100%)' } : {}) }}
      aria-hidden="true"
    >
      <strong>{title}</strong>
      <table>
        <thead>
          <tr>
            <th />
            <th>{text.made}</th>
            <th>{text.failed}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ tool, made, failed }) => (
            <tr key={tool ?? ''}>
              <th>{tool ?? text.others}</th>
              <td>{formatCount(made[place] ?? 0)}</td>
              <td>{formatCount(failed[place] ?? 0)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th>{text.total}</th>
            <td>{total('made')}</td>
            <td>{total('failed')}</td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
