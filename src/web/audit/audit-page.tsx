import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import { Link, useLocation, useSearch } from 'wouter';
import { messageOf } from '../client/errors.ts';
import { useMay } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { formatTime } from '../design/format.ts';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { Card, Page, Table } from '../design/page.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { AuditPageDocument, type AuditPageQuery } from '../generated/graphql.ts';
import { audit as text } from '../text/audit.ts';
import { shell } from '../text/shared.ts';
import styles from './audit.module.css';
import { type Conditions, filterOf, formatConditions, parseConditions } from './conditions.ts';
import { ConditionsForm } from './conditions-form.tsx';

type Entry = AuditPageQuery['auditLog']['edges'][number]['node'];

const PAGE_SIZE = 50;

/** The audit log, for administrators. */
export default function AuditPage() {
  const mayRead = useMay('ADMIN');
  return (
    <Page title={shell.audit} isWide>
      {mayRead ? (
        <Log />
      ) : (
        <Notice icon="lock" title={text.notAllowed}>
          <p>{text.notAllowedHint}</p>
        </Notice>
      )}
    </Page>
  );
}

function Log() {
  const query = useSearch();
  const [, navigate] = useLocation();
  const show = (conditions: Conditions) => {
    const search = formatConditions(conditions);
    navigate(search ? `/audit?${search}` : '/audit');
  };
  return (
    <>
      <p className={styles.intro}>{text.intro}</p>
      <ConditionsForm key={query} conditions={parseConditions(query)} onShow={show} />
      <Entries key={`entries ${query}`} conditions={parseConditions(query)} />
    </>
  );
}

/** Reads page after page as the reader asks for older entries. */
function useEntries(conditions: Conditions) {
  const client = useClient();
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [isReading, setReading] = useState(true);

  async function read(after: string | null): Promise<void> {
    setReading(true);
    const variables = { filter: filterOf(conditions), first: PAGE_SIZE, after };
    const result = await client.query(AuditPageDocument, variables, { requestPolicy: 'network-only' });
    setReading(false);
    if (!result.data) return setError(messageOf(result.error));
    const { edges, pageInfo } = result.data.auditLog;
    setError(null);
    setEntries((before) => [...(after === null ? [] : before), ...edges.map(({ node }) => node)]);
    setNext(pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null);
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: other conditions make another component.
  useEffect(() => void read(null), []);
  return { entries, next, error, isReading, read };
}

function Entries({ conditions }: { readonly conditions: Conditions }) {
  const { entries, next, error, isReading, read } = useEntries(conditions);
  if (error !== null) return <ErrorNotice message={error} onRetry={() => void read(null)} />;
  if (entries.length === 0)
    return isReading ? (
      <Card>
        <Skeleton lines={8} />
      </Card>
    ) : (
      <Notice icon="search" title={text.empty}>
        <p>{text.emptyHint}</p>
      </Notice>
    );
  return (
    <Card>
      <EntryTable entries={entries} />
      {next === null ? null : (
        <Button disabled={isReading} onClick={() => void read(next)}>
          {text.older}
        </Button>
      )}
    </Card>
  );
}

const { columns } = text;

const EntryTable = ({ entries }: { readonly entries: readonly Entry[] }) => (
  <Table label={text.caption} stacks>
    <thead>
      <tr>
        <th scope="col">{columns.when}</th>
        <th scope="col">{columns.who}</th>
        <th scope="col">{columns.what}</th>
        <th scope="col">{columns.details}</th>
      </tr>
    </thead>
    <tbody>
      {entries.map((entry) => (
        <tr key={entry.id}>
          <td data-label={columns.when}>
            <time dateTime={entry.createdAt}>{formatTime(entry.createdAt)}</time>
          </td>
          <td data-label={columns.who}>
            <Link href={`/audit?actor=${encodeURIComponent(entry.actorName)}`}>{entry.actorName}</Link>{' '}
            <span className={styles.kind}>{text.kinds[entry.actorKind]}</span>
          </td>
          <td data-label={columns.what}>
            {text.verbs[entry.action]} {text.subjects[entry.subjectType]} <Subject entry={entry} />
          </td>
          <td data-label={columns.details} className={styles.details}>
            {entry.details == null ? '' : JSON.stringify(entry.details)}
          </td>
        </tr>
      ))}
    </tbody>
  </Table>
);

/** An image that is still there leads to its page, everything else to its own changes. */
function Subject({ entry: { image, subjectId } }: { readonly entry: Entry }) {
  const short = subjectId.slice(-8);
  return image ? (
    <Link href={`/image/${image.uuid}`} title={subjectId}>
      …{short}
    </Link>
  ) : (
    <Link href={`/audit?subject=${subjectId}`} title={subjectId}>
      …{short}
    </Link>
  );
}
