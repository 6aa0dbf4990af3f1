import { CoverageMeter } from '../design/coverage-meter.tsx';
import { formatBytes, formatCount, formatTime } from '../design/format.ts';
import { number } from '../design/page.tsx';
import type { OverviewStoresQuery } from '../generated/graphql.ts';
import { galleryPath } from '../state/filter.ts';
import { overview as text } from '../text/overview.ts';
import { BarList } from './bar-list.tsx';
import { ChartCard } from './chart-card.tsx';
import styles from './overview.module.css';

type Store = OverviewStoresQuery['stores'][number];

interface StoreFiguresProps {
  readonly stores: readonly Store[];
}

const { columns } = text;

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

/** Copies of each store by the time since they were verified. */
export const Coverage = ({ stores }: StoreFiguresProps) => (
  <ChartCard title={text.coverage} note={text.everyImage} table={<CoverageTable stores={stores} />}>
    <ul className={styles.stores}>
      {stores.map((store) => (
        <li key={store.name}>
          <CoverageMeter store={store} named />
        </li>
      ))}
    </ul>
  </ChartCard>
);

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
