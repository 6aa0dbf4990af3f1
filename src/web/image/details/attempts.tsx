import { formatAgo, formatCount, formatSeconds, formatTime } from '../../design/format.ts';
import { Badge } from '../../design/notice.tsx';
import { number, Table } from '../../design/page.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { attempts as text } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import styles from './attempts.module.css';

type Attempt = ImageDetailsFragment['attempts'][number];

/** The attempts to generate the image, with their times. */
export function Attempts({ image: { attempts } }: { readonly image: ImageDetailsFragment }) {
  if (attempts.length === 0) return null;
  return (
    <Section title={text.title}>
      <Table label={text.table}>
        <thead>
          <tr>
            <th scope="col" className={number}>
              {text.number}
            </th>
            <th scope="col">{text.started}</th>
            <th scope="col" className={number}>
              {text.duration}
            </th>
            <th scope="col">{text.result}</th>
          </tr>
        </thead>
        <tbody>
          {attempts.map((attempt, index) => (
            <tr key={attempt.startedAt}>
              <td className={number}>{formatCount(index + 1)}</td>
              <td>
                <time dateTime={attempt.startedAt} title={formatAgo(attempt.startedAt)}>
                  {formatTime(attempt.startedAt)}
                </time>
              </td>
              <td className={number}>{durationOf(attempt)}</td>
              <td>
                <Result attempt={attempt} />
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Section>
  );
}

const durationOf = ({ startedAt, endedAt }: Attempt) =>
  endedAt ? formatSeconds((Date.parse(endedAt) - Date.parse(startedAt)) / 1000) : '…';

function Result({ attempt: { code, message, endedAt, retryAt } }: { readonly attempt: Attempt }) {
  if (!endedAt) return <Badge>{text.running}</Badge>;
  if (!code) return <Badge tone="good">{text.succeeded}</Badge>;
  return (
    <div className={styles.failure}>
      <Badge tone="bad">{code}</Badge>
      <p>{message}</p>
      {retryAt ? <p>{text.retryAt(formatAgo(retryAt))}</p> : null}
    </div>
  );
}
