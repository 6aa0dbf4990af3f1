import { useQuery } from 'urql';
import { messageOf } from '../client/errors.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { formatAgo, formatBytes, formatCount, formatDay, formatTime } from '../design/format.ts';
import { ErrorNotice } from '../design/notice.tsx';
import { Card, number, Table } from '../design/page.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { QuarantineDocument, type QuarantineQuery } from '../generated/graphql.ts';
import { stores as text } from '../text/stores.ts';
import styles from './stores.module.css';

/** Most files that the list shows. */
const MOST = 100;

/** Files that restore moved out of the stores because no image has them. */
export function Quarantine() {
  const [{ data, error }, read] = useQuery({ query: QuarantineDocument, requestPolicy: 'cache-and-network' });
  const refresh = () => read({ requestPolicy: 'network-only' });
  useRefreshWhenShown(refresh);
  const files = data?.quarantine;
  return (
    <Card title={text.quarantine}>
      <p className={styles.note}>{text.quarantineHint}</p>
      {error && !data ? <ErrorNotice message={messageOf(error)} onRetry={refresh} /> : null}
      {files === undefined && !error ? <Skeleton lines={2} /> : null}
      {files?.length === 0 ? <p className={styles.note}>{text.quarantineEmpty}</p> : null}
      {files && files.length > 0 ? <Files files={files} /> : null}
      {files && files.length >= MOST ? (
        <p className={styles.note}>{text.mostQuarantined(formatCount(MOST))}</p>
      ) : null}
    </Card>
  );
}

const columns = text.quarantineColumns;

const Files = ({ files }: { readonly files: QuarantineQuery['quarantine'] }) => (
  <Table label={text.quarantine} stacks>
    <thead>
      <tr>
        <th scope="col">{columns.key}</th>
        <th scope="col">{columns.store}</th>
        <th scope="col" className={number}>
          {columns.bytes}
        </th>
        <th scope="col">{columns.since}</th>
        <th scope="col">{columns.deleted}</th>
      </tr>
    </thead>
    <tbody>
      {files.map(({ store, key, bytes, quarantinedAt, deletedAfter }) => (
        <tr key={`${store} ${key}`}>
          <th scope="row" className={styles.key}>
            <code>{key}</code>
          </th>
          <td data-label={columns.store}>{store}</td>
          <td className={number} data-label={columns.bytes}>
            {formatBytes(bytes)}
          </td>
          <td data-label={columns.since}>
            <time dateTime={quarantinedAt} title={formatTime(quarantinedAt)}>
              {formatAgo(quarantinedAt)}
            </time>
          </td>
          <td data-label={columns.deleted}>{formatDay(deletedAfter)}</td>
        </tr>
      ))}
    </tbody>
  </Table>
);
