import { useMemo } from 'react';
import { useQuery } from 'urql';
import { useLocation, useSearch } from 'wouter';
import { messageOf } from '../client/errors.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { useMay, useSession } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { Page } from '../design/page.tsx';
import {
  OverviewDocument,
  type OverviewQuery,
  OverviewQueueDocument,
  OverviewStoresDocument,
} from '../generated/graphql.ts';
import { type GalleryFilter, galleryPath } from '../state/filter.ts';
import { overview as text } from '../text/overview.ts';
import { shell } from '../text/shared.ts';
import { Breakdown, type Part } from './breakdown.tsx';
import { ByDay } from './by-day.tsx';
import { DurabilityCard } from './durability.tsx';
import { Figures } from './figures.tsx';
import { MoreFigures } from './more-figures.tsx';
import styles from './overview.module.css';
import {
  dayOf,
  daysBefore,
  firstDayOf,
  galleryFilterOf,
  imageFilterOf,
  overviewPath,
  parseSelection,
} from './selection.ts';
import { Selectors } from './selectors.tsx';
import { BytesByStore, Coverage } from './store-figures.tsx';

type Stats = OverviewQuery['imageStats'];

export default function OverviewPage() {
  const search = useSearch();
  const [, navigate] = useLocation();
  const { viewer } = useSession();
  const selection = useMemo(() => parseSelection(search), [search]);
  const today = dayOf(new Date());
  const variables = useMemo(() => ({ filter: imageFilterOf(selection, today) }), [selection, today]);
  const [{ data, error, fetching, stale }, read] = useQuery({
    query: OverviewDocument,
    variables,
    requestPolicy: 'cache-and-network',
  });
  const always = useMemo(() => ({ ...selection, range: 'all' as const }), [selection]);
  const waiting = useMemo(
    () => ({ filter: { ...imageFilterOf(always, today), status: ['PENDING', 'PROCESSING'] as const } }),
    [always, today],
  );
  const [{ data: queue }, readQueue] = useQuery({
    query: OverviewQueueDocument,
    variables: { filter: { ...waiting.filter, status: [...waiting.filter.status] } },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => {
    read({ requestPolicy: 'network-only' });
    readQueue({ requestPolicy: 'network-only' });
  };
  useRefreshWhenShown(refresh);
  const filter = galleryFilterOf(selection, today);
  return (
    <Page
      title={shell.overview}
      actions={
        <Button icon="restore" busy={fetching || stale} onClick={refresh}>
          {text.refresh}
        </Button>
      }
    >
      <Selectors
        selection={selection}
        today={today}
        hasUsers={viewer.userId === null}
        onChange={(chosen) => navigate(overviewPath(chosen))}
      />
      {error && !data ? (
        <ErrorNotice message={messageOf(error)} onRetry={refresh} />
      ) : (
        <>
          <Figures
            stats={data?.imageStats}
            queue={queue?.imageStats}
            filter={filter}
            always={galleryFilterOf(always, today)}
          />
          {data && !data.imageStats.complete ? <p className={styles.incomplete}>{text.incomplete}</p> : null}
          <Plots
            stats={data?.imageStats}
            filter={filter}
            from={firstDayOf(selection.range, today)}
            today={today}
          />
        </>
      )}
    </Page>
  );
}

interface PlotsProps {
  readonly stats: Stats | undefined;
  readonly filter: GalleryFilter;
  readonly from: string | undefined;
  readonly today: string;
}

function Plots({ stats, filter, from, today }: PlotsProps) {
  const maySeeStores = useMay('STORES_READ');
  if (!stats) return <div className={styles.room} />;
  return (
    <>
      {stats.total === 0 ? (
        <Notice icon="overview" title={text.empty}>
          <p>{text.emptyHint}</p>
        </Notice>
      ) : (
        <>
          <ByDay rows={stats.byDayAndTool} from={from} today={today} filter={filter} />
          <Breakdowns stats={stats} filter={filter} />
          <MoreFigures stats={stats} filter={filter} />
        </>
      )}
      <div className={styles.pair}>
        {stats.total === 0 ? null : <DurabilityCard counts={stats.byDurability} filter={filter} />}
        {maySeeStores ? <StoreCards today={today} /> : null}
      </div>
    </>
  );
}

/** Bars of tools, models and users. */
function Breakdowns({ stats, filter }: Pick<PlotsProps, 'filter'> & { readonly stats: Stats }) {
  const { columns } = text;
  const partOf = (
    label: string,
    figures: Omit<Part, 'label' | 'href' | 'failedHref'>,
    own?: GalleryFilter,
  ): Part => ({
    ...figures,
    label,
    href: own && galleryPath({ ...filter, ...own }),
    failedHref: own && galleryPath({ ...filter, ...own, status: ['failed'] }),
  });
  return (
    <div className={styles.grid}>
      <Breakdown
        title={text.tools}
        column={columns.tool}
        parts={stats.byTool.map(({ tool, ...figures }) => partOf(tool, figures, { tool }))}
      />
      <Breakdown
        title={text.models}
        column={columns.model}
        parts={stats.byModel.map(({ model, ...figures }) =>
          model === null ? partOf(text.noModel, figures) : partOf(model, figures, { model }),
        )}
      />
      <div id="users" className={styles.cell}>
        <Breakdown
          title={text.users}
          column={columns.user}
          parts={stats.byUser.map(({ userId, ...figures }) => partOf(userId, figures, { user: userId }))}
        />
      </div>
    </div>
  );
}

/** Size and coverage of the stores. They count all images, so they are read by themselves. */
function StoreCards({ today }: { readonly today: string }) {
  const timeOf = (days: number) => `${daysBefore(today, days)}T00:00:00.000Z`;
  const [{ data, error }, read] = useQuery({
    query: OverviewStoresDocument,
    variables: { week: timeOf(7), month: timeOf(30) },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => read({ requestPolicy: 'network-only' });
  useRefreshWhenShown(refresh);
  if (error && !data) return <ErrorNotice message={messageOf(error)} onRetry={refresh} />;
  if (!data) return <div className={styles.room} />;
  return (
    <>
      <BytesByStore stores={data.stores} />
      <Coverage stores={data.stores} />
    </>
  );
}
