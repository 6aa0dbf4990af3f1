import { useEffect, useRef, useState } from 'react';
import { useMutation, useQuery, useSubscription } from 'urql';
import { faultOf, messageOf } from '../client/errors.ts';
import { onReconnect } from '../client/events.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { Button } from '../design/button.tsx';
import { formatBytes, formatCount, formatDuration } from '../design/format.ts';
import { Card } from '../design/page.tsx';
import { showToast } from '../design/toast.tsx';
import {
  CancelMaintenanceRunDocument,
  MaintenanceRunsDocument,
  type MaintenanceRunsQuery,
  MaintenanceRunUpdatedDocument,
} from '../generated/graphql.ts';
import { stores as text } from '../text/stores.ts';
import { Counts, Problems } from './problems.tsx';
import { addSample, rateOf, type Sample, secondsLeft, shareOf } from './progress.ts';
import styles from './stores.module.css';

export type Run = MaintenanceRunsQuery['maintenanceRuns'][number];

const isActive = ({ state }: Run) => state === 'PENDING' || state === 'RUNNING';

/** Seconds between two reads of the list: the schedule and other administrators start runs too. */
const READ_SECONDS = 15;
const MOST = 20;

interface Runs {
  readonly runs: readonly Run[] | undefined;
  readonly running: readonly Run[];
  readonly fault: string | undefined;
  readonly refreshRuns: () => void;
  /** Reads the runs again after one has started, which may end before the list has it. */
  readonly noteStart: (id: string) => void;
}

/** Reads the runs, newest first. Says when one has ended, and calls `onEnd`. */
export function useRuns(onEnd: () => void): Runs {
  const [{ data, error }, read] = useQuery({
    query: MaintenanceRunsDocument,
    variables: { first: MOST },
    requestPolicy: 'cache-and-network',
  });
  const refreshRuns = () => read({ requestPolicy: 'network-only' });
  const latest = useRef({ refreshRuns, onEnd });
  latest.current = { refreshRuns, onEnd };
  useRefreshWhenShown(refreshRuns);
  useEffect(() => onReconnect(() => latest.current.refreshRuns()), []);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || latest.current.refreshRuns(), READ_SECONDS * 1000);
    return () => clearInterval(timer);
  }, []);
  const running = data?.maintenanceRuns.filter(isActive) ?? [];
  const before = useRef<readonly string[]>([]);
  useEffect(() => {
    const runs = data?.maintenanceRuns ?? [];
    const ended = runs.filter((run) => before.current.includes(run.id) && !isActive(run));
    const unknown = before.current.filter((id) => !runs.some((run) => run.id === id));
    before.current = [...unknown, ...runs.filter(isActive).map(({ id }) => id)];
    for (const run of ended) sayEnd(run);
    if (ended.length > 0) latest.current.onEnd();
  }, [data]);
  const noteStart = (id: string) => {
    before.current = [...before.current, id];
    refreshRuns();
  };
  const fault = error && !data ? messageOf(error) : undefined;
  return { runs: data?.maintenanceRuns, running, fault, refreshRuns, noteStart };
}

function sayEnd({ kind, state }: Run): void {
  if (state === 'PENDING' || state === 'RUNNING') return;
  const tone = state === 'COMPLETED' || state === 'CANCELLED' ? 'neutral' : 'bad';
  showToast(text.endedRun(text.kinds[kind], text.ended[state]), { tone });
}

interface RunningRunsProps {
  readonly runs: readonly Run[];
  readonly mayCancel: boolean;
}

/** The active runs, with their progress as it comes. */
export function RunningRuns({ runs, mayCancel }: RunningRunsProps) {
  return runs.map((run) => <RunningRun key={run.id} run={run} mayCancel={mayCancel} />);
}

function RunningRun({ run, mayCancel }: { readonly run: Run; readonly mayCancel: boolean }) {
  // The cache takes each event into the list of runs.
  useSubscription({ query: MaintenanceRunUpdatedDocument, variables: { id: run.id } });
  return (
    <Card title={text.running[run.kind]} actions={mayCancel ? <CancelButton run={run} /> : null}>
      <p className={styles.note}>{text.runIn(run.stores.join(', '))}</p>
      <ProgressBar run={run} />
      <Counts run={run} />
      <Problems problems={run.problems} folded />
    </Card>
  );
}

function CancelButton({ run }: { readonly run: Run }) {
  const [{ fetching }, cancel] = useMutation(CancelMaintenanceRunDocument);
  const isCancelled = run.cancelRequestedAt !== null;
  const submit = async () => {
    const fault = faultOf(await cancel({ input: { id: run.id } }));
    if (fault !== null) showToast(fault, { tone: 'bad' });
  };
  return (
    <Button icon="stop" busy={fetching || isCancelled} onClick={submit}>
      {isCancelled ? text.cancelling : text.cancel}
    </Button>
  );
}

function ProgressBar({ run }: { readonly run: Run }) {
  const { checked, total, bytes, state } = run;
  const samples = useRef<readonly Sample[]>([]);
  const [rate, setRate] = useState<ReturnType<typeof rateOf>>(null);
  useEffect(() => {
    samples.current = addSample(samples.current, { time: Date.now(), checked, bytes });
    setRate(rateOf(samples.current));
  }, [checked, bytes]);
  const share = shareOf(checked, total);
  const left = secondsLeft(rate, checked, total);
  return (
    <div className={styles.progress}>
      <progress
        className={styles.bar}
        aria-label={text.running[run.kind]}
        {...(share === null || state === 'PENDING' ? {} : { value: share, max: 1 })}
      />
      <p className={styles.progressText}>
        <span>{state === 'PENDING' ? text.waits : progressOf(checked, total)}</span>
        <span>{formatBytes(bytes)}</span>
        {rate && rate.bytes > 0 ? <span>{text.rate(formatBytes(rate.bytes))}</span> : null}
        {left === null ? null : <span>{text.timeLeft(formatDuration(left))}</span>}
      </p>
    </div>
  );
}

const progressOf = (checked: number, total: number | null) =>
  total === null
    ? text.checked(formatCount(checked))
    : text.progress(formatCount(checked), formatCount(total));
