import { Link } from 'wouter';
import { formatBytes, formatCount } from '../design/format.ts';
import { Badge } from '../design/notice.tsx';
import { Table } from '../design/page.tsx';
import type { MaintenanceRunsQuery } from '../generated/graphql.ts';
import { galleryPath } from '../state/filter.ts';
import { stores as text } from '../text/stores.ts';
import styles from './stores.module.css';

type Run = MaintenanceRunsQuery['maintenanceRuns'][number];
type Problem = Run['problems'][number];

const VERIFIED = ['healthy', 'missing', 'corrupt', 'unreachable'] as const;
const TRASHED = ['changed', 'skipped'] as const;
const RESTORED = ['healthy', 'restored', 'failed'] as const;
const CHANGED = ['changed', 'skipped', 'failed'] as const;
const COUNTED = { VERIFY: VERIFIED, RESTORE: RESTORED, RETENTION: TRASHED, BULK: CHANGED } as const;
const BAD: readonly string[] = ['missing', 'corrupt', 'unreachable', 'failed'];

/** Numbers of a run. */
export const Counts = ({ run }: { readonly run: Run }) => (
  <dl className={styles.counts}>
    {COUNTED[run.kind].map((name) => (
      <div key={name}>
        <dt>{run.kind === 'BULK' ? text.changes[name as (typeof CHANGED)[number]] : text.counts[name]}</dt>
        <dd className={BAD.includes(name) && run[name] > 0 ? styles.bad : undefined}>
          {formatCount(run[name])}
        </dd>
      </div>
    ))}
    <div>
      <dt>{text.counts.bytes}</dt>
      <dd>{formatBytes(run.bytes)}</dd>
    </div>
  </dl>
);

/** Most problems that the server keeps. */
const MOST = 100;

interface ProblemsProps {
  readonly problems: readonly Problem[];
  /** Whether the list is closed at first. */
  readonly folded?: boolean;
}

/** The problems that a run found. */
export function Problems({ problems, folded = false }: ProblemsProps) {
  if (problems.length === 0) return folded ? null : <p className={styles.note}>{text.noProblems}</p>;
  return (
    <details className={[styles.details, folded ? styles.folded : ''].join(' ')} open={!folded}>
      <summary>{text.problems(formatCount(problems.length))}</summary>
      <div className={styles.problems}>
        <Table label={text.problems(formatCount(problems.length))} stacks>
          <thead>
            <tr>
              <th scope="col">{text.problemColumns.state}</th>
              <th scope="col">{text.problemColumns.store}</th>
              <th scope="col">{text.problemColumns.image}</th>
              <th scope="col">{text.problemColumns.message}</th>
            </tr>
          </thead>
          <tbody>
            {problems.map((problem, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows, and problems have no id.
              <ProblemRow key={place} problem={problem} />
            ))}
          </tbody>
        </Table>
      </div>
      {problems.length >= MOST ? <p className={styles.note}>{text.mostProblems}</p> : null}
    </details>
  );
}

const ProblemRow = ({ problem: { state, store, sha256, message } }: { readonly problem: Problem }) => (
  <tr>
    <th scope="row">
      <Badge tone={state === 'UNREACHABLE' ? 'warn' : 'bad'}>{text.problemStates[state]}</Badge>
    </th>
    <td data-label={text.problemColumns.store}>{store ?? text.everyStore}</td>
    <td data-label={text.problemColumns.image}>
      {sha256 === null ? (
        '–'
      ) : (
        <Link href={galleryPath({ sha256, trash: 'include' })} title={sha256}>
          <code>{sha256.slice(0, 12)}…</code>
        </Link>
      )}
    </td>
    <td className={styles.message} data-label={text.problemColumns.message}>
      {message}
    </td>
  </tr>
);
