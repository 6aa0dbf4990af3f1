import { useState } from 'react';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { formatAgo, formatCount, formatDuration, formatTime } from '../design/format.ts';
import { ErrorNotice } from '../design/notice.tsx';
import { Card, number, Table } from '../design/page.tsx';
import { RunState } from '../design/run-state.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { stores as text } from '../text/stores.ts';
import { Counts, Problems } from './problems.tsx';
import type { Run } from './runs.tsx';
import styles from './stores.module.css';

interface RunsCardProps {
  readonly runs: readonly Run[] | undefined;
  readonly fault: string | undefined;
  readonly onRetry: () => void;
}

const { columns } = text;

/** The runs of before, newest first, with the details of each in a dialog. */
export function RunsCard({ runs, fault, onRetry }: RunsCardProps) {
  const [shown, setShown] = useState<string | null>(null);
  const run = runs?.find(({ id }) => id === shown) ?? null;
  return (
    <Card title={text.runs}>
      {fault === undefined ? null : <ErrorNotice message={fault} onRetry={onRetry} />}
      {runs === undefined && fault === undefined ? <Skeleton lines={4} /> : null}
      {runs?.length === 0 ? <p className={styles.note}>{text.noRuns}</p> : null}
      {runs && runs.length > 0 ? <RunsTable runs={runs} onShow={setShown} /> : null}
      <RunDialog run={run} onClose={() => setShown(null)} />
    </Card>
  );
}

const RunsTable = ({
  runs,
  onShow,
}: {
  readonly runs: readonly Run[];
  readonly onShow: (id: string) => void;
}) => (
  <Table label={text.runs} stacks>
    <thead>
      <tr>
        <th scope="col">{columns.run}</th>
        <th scope="col">{columns.state}</th>
        <th scope="col">{columns.started}</th>
        <th scope="col">{columns.took}</th>
        <th scope="col">{columns.by}</th>
        {[columns.checked, columns.found, columns.restored].map((name) => (
          <th key={name} scope="col" className={number}>
            {name}
          </th>
        ))}
        <th scope="col">{columns.details}</th>
      </tr>
    </thead>
    <tbody>
      {runs.map((run) => (
        <RunRow key={run.id} run={run} onShow={onShow} />
      ))}
    </tbody>
  </Table>
);

/** Returns what a run does, for people. */
function nameOf({ kind, mutation, dryRun }: Run): string {
  const name = text.changesOf[mutation ?? ''] ?? text.kinds[kind];
  return dryRun ? text.dryRun(name) : name;
}

/** Returns how long a run took; null: it has not ended, or never began. */
function durationOf({ startedAt, finishedAt }: Run): string | null {
  if (startedAt === null || finishedAt === null) return null;
  return formatDuration((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000);
}

function RunRow({ run, onShow }: { readonly run: Run; readonly onShow: (id: string) => void }) {
  const { id, state, createdAt, startedBy, checked, restored } = run;
  const found = run.missing + run.corrupt + run.unreachable + run.failed;
  const name = nameOf(run);
  return (
    <tr>
      <th scope="row" className={styles.run}>
        {name}
      </th>
      <td data-label={columns.state}>
        <RunState state={state} />
      </td>
      <td data-label={columns.started}>
        <time dateTime={createdAt} title={formatTime(createdAt)}>
          {formatAgo(createdAt)}
        </time>
      </td>
      <td data-label={columns.took}>{durationOf(run) ?? '–'}</td>
      <td data-label={columns.by}>{startedBy}</td>
      <td className={number} data-label={columns.checked}>
        {formatCount(checked)}
      </td>
      <td className={number} data-label={columns.found}>
        <span className={found > 0 ? styles.bad : undefined}>{formatCount(found)}</span>
      </td>
      <td className={number} data-label={columns.restored}>
        {formatCount(restored)}
      </td>
      <td data-label={columns.details}>
        <Button
          kind="quiet"
          aria-label={text.detailsOf(`${name}, ${formatTime(createdAt)}`)}
          onClick={() => onShow(id)}
        >
          {text.details}
        </Button>
      </td>
    </tr>
  );
}

function RunDialog({ run, onClose }: { readonly run: Run | null; readonly onClose: () => void }) {
  return (
    <Dialog title={run ? nameOf(run) : ''} open={run !== null} onClose={onClose} isWide>
      {run ? (
        <>
          <p className={styles.runHead}>
            <RunState state={run.state} />
            <span className={styles.note}>
              {formatTime(run.createdAt)} · {run.startedBy} · {run.stores.join(', ')}
            </span>
          </p>
          {run.error === null ? null : <p className={styles.fault}>{run.error}</p>}
          <Counts run={run} />
          <Problems problems={run.problems} />
        </>
      ) : null}
    </Dialog>
  );
}
