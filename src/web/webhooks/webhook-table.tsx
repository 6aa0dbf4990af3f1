import { Button } from '../design/button.tsx';
import { Badge } from '../design/notice.tsx';
import { Table } from '../design/page.tsx';
import type { WebhooksQuery } from '../generated/graphql.ts';
import { webhooks as text } from '../text/webhooks.ts';
import styles from './webhooks.module.css';

export type Webhook = WebhooksQuery['webhooks'][number];

export type WebhookActions = Readonly<
  Record<'enable' | 'remove' | 'rotate' | 'test', (webhook: Webhook) => Promise<void>>
>;

interface WebhookTableProps {
  readonly webhooks: readonly Webhook[];
  readonly actions: WebhookActions;
  readonly onShow: (webhook: Webhook) => void;
}

const { columns } = text;

export const WebhookTable = ({ webhooks, actions, onShow }: WebhookTableProps) => (
  <Table label={text.caption} stacks>
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
      {webhooks.map((webhook) => (
        <tr key={webhook.id}>
          <th scope="row" className={styles.url}>
            {webhook.url}
            {webhook.description ? <span className={styles.reason}>{webhook.description}</span> : null}
          </th>
          <td data-label={columns.events} className={styles.url}>
            {webhook.eventTypes.map((type) => text.events[type]).join(', ') || text.allEvents}
          </td>
          <td data-label={columns.state}>
            <State webhook={webhook} />
          </td>
          <td data-label={columns.actions}>
            <span className={styles.buttons}>
              <Button onClick={() => onShow(webhook)}>{text.show}</Button>
              <Button onClick={() => actions.test(webhook)}>{text.test}</Button>
              <Button onClick={() => actions.enable(webhook)}>
                {webhook.enabled ? text.disable : text.enable}
              </Button>
              <Button onClick={() => actions.rotate(webhook)}>{text.rotate}</Button>
              <Button kind="danger" onClick={() => actions.remove(webhook)}>
                {text.remove}
              </Button>
            </span>
          </td>
        </tr>
      ))}
    </tbody>
  </Table>
);

function State({ webhook }: { readonly webhook: Webhook }) {
  if (webhook.enabled)
    return webhook.failingSince ? (
      <Badge tone="warn">{text.failing}</Badge>
    ) : (
      <Badge tone="good">{text.enabled}</Badge>
    );
  return (
    <>
      <Badge tone={webhook.disabledReason ? 'bad' : 'neutral'}>{text.disabled}</Badge>
      {webhook.disabledReason ? <span className={styles.reason}>{webhook.disabledReason}</span> : null}
    </>
  );
}
