import { useState } from 'react';
import { useQuery } from 'urql';
import { messageOf } from '../client/errors.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { useMay } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { Card, Page } from '../design/page.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { type MaintenanceKind, StoresDocument } from '../generated/graphql.ts';
import { shell } from '../text/shared.ts';
import { stores as text } from '../text/stores.ts';
import { Quarantine } from './quarantine.tsx';
import { RunningRuns, useRuns } from './runs.tsx';
import { RunsCard } from './runs-card.tsx';
import { StartDialog, type StartRequest } from './start-dialog.tsx';
import type { StartKind } from './start-input.ts';
import { StoreCard, type StoreCardProps } from './store-card.tsx';
import styles from './stores.module.css';

export default function StoresPage() {
  if (useMay('STORES_READ')) return <Stores />;
  return (
    <Page title={shell.stores}>
      <Notice icon="lock" title={text.notAllowed}>
        <p>{text.notAllowedHint}</p>
      </Notice>
    </Page>
  );
}

/** Returns the start of a day some days ago: it stays the same for a day, so the cache knows the query. */
const daysAgo = (days: number) => {
  const today = new Date();
  today.setUTCHours(0, 0, 0, 0);
  return new Date(today.getTime() - days * 86_400_000).toISOString();
};

function Stores() {
  const mayAct = useMay('ADMIN');
  const [request, setRequest] = useState<StartRequest | null>(null);
  const [{ data, error }, read] = useQuery({
    query: StoresDocument,
    variables: { week: daysAgo(7), month: daysAgo(30) },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => read({ requestPolicy: 'network-only' });
  useRefreshWhenShown(refresh);
  const { runs, running, fault, refreshRuns, noteStart } = useRuns(refresh);
  const busy = running.map(({ kind }) => kind);
  const start = mayAct
    ? (kind: StartKind, store?: string) => setRequest({ kind, ...(store === undefined ? {} : { store }) })
    : undefined;
  if (error && !data) {
    const readAll = () => {
      refresh();
      refreshRuns();
    };
    return (
      <Page title={shell.stores}>
        <ErrorNotice message={messageOf(error)} onRetry={readAll} />
      </Page>
    );
  }
  return (
    <Page title={shell.stores} actions={start ? <Actions busy={busy} onStart={start} /> : null}>
      {mayAct ? null : <p className={styles.note}>{text.adminOnly}</p>}
      <RunningRuns runs={running} mayCancel={mayAct} />
      <StoreCards stores={data?.stores} busy={busy} onStart={start} />
      <RunsCard runs={runs} fault={fault} onRetry={refreshRuns} />
      {mayAct ? <Quarantine /> : null}
      <StartDialog
        request={request}
        stores={data?.stores.map(({ name }) => name) ?? []}
        onClose={() => setRequest(null)}
        onStarted={noteStart}
      />
    </Page>
  );
}

interface StoreCardsProps extends Omit<StoreCardProps, 'store'> {
  /** undefined: they are being read. */
  readonly stores: readonly StoreCardProps['store'][] | undefined;
}

const StoreCards = ({ stores, ...rest }: StoreCardsProps) =>
  stores === undefined ? (
    <Card>
      <Skeleton lines={8} />
    </Card>
  ) : (
    <ul className={styles.cards} aria-label={text.listTitle}>
      {stores.map((store) => (
        <StoreCard key={store.name} store={store} {...rest} />
      ))}
    </ul>
  );

interface ActionsProps {
  readonly busy: readonly MaintenanceKind[];
  readonly onStart: (kind: StartKind) => void;
}

const Actions = ({ busy, onStart }: ActionsProps) =>
  (['VERIFY', 'RESTORE'] as const).map((kind) => (
    <Button
      key={kind}
      icon={kind === 'VERIFY' ? 'check' : 'restore'}
      disabled={busy.includes(kind)}
      title={busy.includes(kind) ? text.isRunning[kind] : undefined}
      onClick={() => onStart(kind)}
    >
      {kind === 'VERIFY' ? text.verify : text.restore}
    </Button>
  ));
