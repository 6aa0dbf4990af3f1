import { formatAgo, formatBytes, formatCount, formatTime } from '../design/format.ts';
import { Card, number, Table } from '../design/page.tsx';
import { RunState } from '../design/run-state.tsx';
import type { RetentionPageQuery } from '../generated/graphql.ts';
import { retention as text } from '../text/retention.ts';
import styles from './retention.module.css';

type Run = RetentionPageQuery['maintenanceRuns'][number];

const columns = text.runColumns;

/** Runs of retention, newest first. */
export const RunsCard = ({ runs }: { readonly runs: readonly Run[] }) => (
  <Card title={text.runs}>
    {runs.length === 0 ? (
      <p className={styles.note}>{text.noRuns}</p>
    ) : (
      <Table label={text.runs} stacks>
        <thead>
          <tr>
            {Object.values(columns).map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <RunRow key={run.id} run={run} />
          ))}
        </tbody>
      </Table>
    )}
  </Card>
);

function RunRow({ run }: { readonly run: Run }) {
  const policies = run.retention?.policies ?? [];
  const reasons = policies.flatMap(({ stop, reasons }) => (stop === null ? reasons : []));
  return (
    <tr>
      <th scope="row">
        <time dateTime={run.createdAt} title={formatTime(run.createdAt)}>
          {formatAgo(run.createdAt)}
        </time>
      </th>
      <td data-label={columns.policies} className={styles.rule}>
        {policies.map(({ name }) => name).join(', ') || '–'}
      </td>
      <td data-label={columns.state}>
        <RunState state={run.state} />
      </td>
      <td data-label={columns.by}>{run.startedBy}</td>
      <td data-label={columns.trashed} className={number}>
        {formatCount(run.changed)}
      </td>
      <td data-label={columns.kept} className={number}>
        {formatCount(run.skipped)}
      </td>
      <td data-label={columns.bytes} className={number}>
        {formatBytes(run.bytes)}
      </td>
      <td data-label={columns.reasons} className={styles.rule}>
        {run.error ??
          reasons
            .map(({ images, description }) => text.runReason(formatCount(images), description))
            .join('; ')}
      </td>
    </tr>
  );
}
