import { useEffect, useRef, useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { faultOf, messageOf } from '../client/errors.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { useMay } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { Card, Page } from '../design/page.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { showToast } from '../design/toast.tsx';
import {
  DeleteRetentionPolicyDocument,
  type PolicyFieldsFragment,
  RetentionPageDocument,
} from '../generated/graphql.ts';
import { retention as text } from '../text/retention.ts';
import { shell } from '../text/shared.ts';
import { PolicyDialog } from './policy-dialog.tsx';
import { PolicyTable } from './policy-table.tsx';
import { PreviewDialog } from './preview-dialog.tsx';
import styles from './retention.module.css';
import { RunsCard } from './runs-card.tsx';

/** Most runs to read; those of other kinds are among them. */
const RUNS = 50;
/** Milliseconds between two reads while a run is active. */
const READ_MS = 1000;

export default function RetentionPage() {
  const mayManage = useMay('ADMIN');
  if (mayManage) return <Retention />;
  return (
    <Page title={shell.retention}>
      <Notice icon="lock" title={text.notAllowed}>
        <p>{text.notAllowedHint}</p>
      </Notice>
    </Page>
  );
}

function Retention() {
  const [editing, setEditing] = useState<PolicyFieldsFragment | 'new' | null>(null);
  const [previewed, setPreviewed] = useState<string | null>(null);
  const [{ data, error }, read] = useQuery({
    query: RetentionPageDocument,
    variables: { first: RUNS },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => read({ requestPolicy: 'network-only' });
  useRefreshWhenShown(refresh);
  const runs = data?.maintenanceRuns.filter(({ kind }) => kind === 'RETENTION') ?? [];
  useReading(
    runs.some(({ state }) => state === 'PENDING' || state === 'RUNNING'),
    refresh,
  );
  const remove = useRemove(refresh);
  return (
    <Page
      title={shell.retention}
      isWide
      actions={
        <Button kind="primary" icon="plus" onClick={() => setEditing('new')}>
          {text.create}
        </Button>
      }
    >
      <p className={styles.note}>{text.intro}</p>
      {error && !data ? <ErrorNotice message={messageOf(error)} onRetry={refresh} /> : null}
      <Policies
        policies={data?.retentionPolicies}
        onPreview={({ name }) => setPreviewed(name)}
        onEdit={setEditing}
        onDelete={remove}
      />
      <RunsCard runs={runs} />
      <PolicyDialog policy={editing} onClose={() => setEditing(null)} onSaved={refresh} />
      <PreviewDialog name={previewed} onClose={() => setPreviewed(null)} onStarted={refresh} />
    </Page>
  );
}

/** Reads again and again while a run is active. */
function useReading(isActive: boolean, refresh: () => void): void {
  const latest = useRef(refresh);
  latest.current = refresh;
  useEffect(() => {
    if (!isActive) return;
    const timer = setInterval(() => document.hidden || latest.current(), READ_MS);
    return () => clearInterval(timer);
  }, [isActive]);
}

function useRemove(refresh: () => void) {
  const [, remove] = useMutation(DeleteRetentionPolicyDocument);
  return async ({ name }: PolicyFieldsFragment) => {
    const fault = faultOf(await remove({ input: { name } }));
    if (fault === null) showToast(text.removed(name));
    else showToast(fault, { tone: 'bad' });
    refresh();
  };
}

interface PoliciesProps extends Omit<Parameters<typeof PolicyTable>[0], 'policies'> {
  readonly policies: readonly PolicyFieldsFragment[] | undefined;
}

function Policies({ policies, ...actions }: PoliciesProps) {
  if (!policies)
    return (
      <Card>
        <Skeleton lines={4} />
      </Card>
    );
  if (policies.length === 0)
    return (
      <Notice icon="trash" title={text.empty}>
        <p>{text.emptyHint}</p>
      </Notice>
    );
  return (
    <Card>
      <PolicyTable policies={policies} {...actions} />
    </Card>
  );
}
