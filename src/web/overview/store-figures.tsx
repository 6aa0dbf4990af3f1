import { formatAgo, formatBytes, formatCount, formatShare, formatTime } from '../design/format.ts';
import { Meter } from '../design/meter.tsx';
import { number } from '../design/page.tsx';
import type { OverviewStoresQuery } from '../generated/graphql.ts';
import { galleryPath } from '../state/filter.ts';
import { overview as text } from '../text/overview.ts';
import { BarList } from './bar-list.tsx';
import { ChartCard } from './chart-card.tsx';
import { coverageOf } from './coverage.ts';
import styles from './overview.module.css';

type Store = OverviewStoresQuery['stores'][number];

interface StoreFiguresProps {
  readonly stores: readonly Store[];
}

const { columns, coverages } = text;

/** Size of the healthy copies in each store. */
export const BytesByStore = ({ stores }: StoreFiguresProps) => (
  <ChartCard
    title={text.bytesByStore}
    note={text.everyImage}
    table={
      <>
        <thead>
          <tr>
            <th scope="col">{columns.store}</th>
            <th scope="col" className={number}>
              {columns.copies}
            </th>
            <th scope="col" className={number}>
              {columns.bytes}
            </th>
          </tr>
        </thead>
        <tbody>
          {stores.map(({ name, copies, bytes }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className={number}>{formatCount(copies)}</td>
              <td className={number}>{formatBytes(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </>
    }
  >
    <BarList
      bars={stores.map(({ name, bytes }) => ({
        key: name,
        label: name,
        value: bytes,
        shown: formatBytes(bytes),
        href: galleryPath({ store: name, copyState: 'stored' }),
      }))}
    />
  </ChartCard>
);

/** How many copies were verified, how long ago, in each store. */
export const Coverage = ({ stores }: StoreFiguresProps) => (
  <ChartCard title={text.coverage} note={text.everyImage} table={<CoverageTable stores={stores} />}>
    <ul className={styles.stores}>
      {stores.map((store) => (
        <StoreCoverage key={store.name} store={store} />
      ))}
    </ul>
  </ChartCard>
);

function StoreCoverage({ store }: { readonly store: Store }) {
  const { week, month, older, never } = coverageOf(store);
  const share = store.copies === 0 ? 1 : (week + month) / store.copies;
  const parts = [
    { key: 'week', value: week, tone: 'good', label: coverages.week },
    { key: 'month', value: month, tone: 'fair', label: coverages.month },
    { key: 'older', value: older, tone: 'warn', label: coverages.older },
    { key: 'never', value: never, tone: 'none', label: coverages.never },
  ] as const;
  return (
    <li className={styles.store}>
      <p className={styles.storeHead}>
        <strong>{store.name}</strong>
        <span className={styles.note}>
          {text.allVerified(formatShare(share))}
          {' · '}
          {store.oldestVerifiedAt ? (
            <time dateTime={store.oldestVerifiedAt} title={formatTime(store.oldestVerifiedAt)}>
              {text.oldest(formatAgo(store.oldestVerifiedAt))}
            </time>
          ) : (
            text.notVerified
          )}
        </span>
      </p>
      <Meter
        parts={parts.map(({ label, ...part }) => ({
          ...part,
          children: (
            <span className={styles.part}>
              <span>{label}</span>
              <strong>{formatCount(part.value)}</strong>
            </span>
          ),
        }))}
      />
    </li>
  );
}

const CoverageTable = ({ stores }: StoreFiguresProps) => (
  <>
    <thead>
      <tr>
        <th scope="col">{columns.store}</th>
        {[columns.copies, columns.week7, columns.month30, columns.never, columns.oldest].map((name) => (
          <th key={name} scope="col" className={number}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {stores.map(({ name, copies, verifiedInWeek, verifiedInMonth, neverVerified, oldestVerifiedAt }) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          {[copies, verifiedInWeek, verifiedInMonth, neverVerified].map((value, place) => (
            <td key={columns.copies + String(place)} className={number}>
              {formatCount(value)}
            </td>
          ))}
          <td className={number}>{oldestVerifiedAt ? formatTime(oldestVerifiedAt) : '–'}</td>
        </tr>
      ))}
    </tbody>
  </>
);
