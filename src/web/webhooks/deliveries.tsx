import { useMutation, useQuery } from 'urql';
import { faultOf, messageOf } from '../client/errors.ts';
import { Button } from '../design/button.tsx';
import { formatTime } from '../design/format.ts';
import { Badge, ErrorNotice, Notice, type Tone } from '../design/notice.tsx';
import { Card, Table } from '../design/page.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { showToast } from '../design/toast.tsx';
import {
  ReplayDeliveryDocument,
  WebhookDeliveriesDocument,
  type WebhookDeliveriesQuery,
} from '../generated/graphql.ts';
import { webhooks as text } from '../text/webhooks.ts';
import styles from './webhooks.module.css';

type Delivery = NonNullable<WebhookDeliveriesQuery['webhook']>['deliveries']['edges'][number]['node'];

const FIRST = 50;
const TONES: Record<Delivery['state'], Tone> = { PENDING: 'neutral', DELIVERED: 'good', FAILED: 'bad' };
const { deliveryColumns: columns } = text;

/** The newest deliveries of a webhook, with their attempts. */
export function Deliveries({ webhook }: { readonly webhook: { readonly id: string; readonly url: string } }) {
  const [{ data, error }, read] = useQuery({
    query: WebhookDeliveriesDocument,
    variables: { id: webhook.id, first: FIRST },
    requestPolicy: 'cache-and-network',
  });
  const [, replay] = useMutation(ReplayDeliveryDocument);
  const refresh = () => read({ requestPolicy: 'network-only' });
  const again = async (id: string) => {
    const fault = faultOf(await replay({ id }));
    if (fault !== null) showToast(fault);
    refresh();
  };
  if (error && !data) return <ErrorNotice message={messageOf(error)} onRetry={refresh} />;
  const deliveries = data?.webhook?.deliveries.edges.map(({ node }) => node);
  return (
    <Card title={text.deliveries(webhook.url)} actions={<Button onClick={refresh}>{text.refresh}</Button>}>
      {!deliveries ? (
        <Skeleton lines={5} />
      ) : deliveries.length === 0 ? (
        <Notice icon="webhooks" title={text.noDeliveries}>
          <p>{text.noDeliveriesHint}</p>
        </Notice>
      ) : (
        <Table label={text.deliveries(webhook.url)} stacks>
          <thead>
            <tr>
              {Object.values(columns).map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {deliveries.map((delivery) => (
              <DeliveryRow key={delivery.id} delivery={delivery} onReplay={again} />
            ))}
          </tbody>
        </Table>
      )}
    </Card>
  );
}

interface DeliveryRowProps {
  readonly delivery: Delivery;
  readonly onReplay: (id: string) => void;
}

const DeliveryRow = ({ delivery, onReplay }: DeliveryRowProps) => (
  <tr>
    <td data-label={columns.when}>
      <time dateTime={delivery.createdAt}>{formatTime(delivery.createdAt)}</time>
    </td>
    <td data-label={columns.event}>{delivery.eventType}</td>
    <td data-label={columns.state}>
      <span className={styles.buttons}>
        <Badge tone={TONES[delivery.state]}>{text.states[delivery.state]}</Badge>
        {delivery.state === 'PENDING' ? null : (
          <Button onClick={() => onReplay(delivery.id)}>{text.replay}</Button>
        )}
      </span>
    </td>
    <td data-label={columns.attempts}>
      {delivery.attempts.map(({ at, status, error, milliseconds, answer }) => (
        <span key={at} className={styles.reason} title={answer}>
          {`${formatTime(at)}: ${status ?? error} (${milliseconds} ms)`}
        </span>
      ))}
    </td>
  </tr>
);
