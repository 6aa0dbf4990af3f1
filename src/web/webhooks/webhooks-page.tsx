import { useState } from 'react';
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
  DeleteWebhookDocument,
  EnableWebhookDocument,
  RotateWebhookSecretDocument,
  TestWebhookDocument,
  WebhooksDocument,
} from '../generated/graphql.ts';
import { text as shared, shell } from '../text/shared.ts';
import { webhooks as text } from '../text/webhooks.ts';
import { CreateDialog } from './create-dialog.tsx';
import { Deliveries } from './deliveries.tsx';
import { SecretDialog } from './secret-dialog.tsx';
import { type Webhook, type WebhookActions, WebhookTable } from './webhook-table.tsx';
import styles from './webhooks.module.css';

/** The webhooks, for administrators. */
export default function WebhooksPage() {
  if (useMay('ADMIN')) return <Webhooks />;
  return (
    <Page title={shell.webhooks}>
      <Notice icon="lock" title={text.notAllowed}>
        <p>{text.notAllowedHint}</p>
      </Notice>
    </Page>
  );
}

/** Returns what can be done with a webhook. A failure is shown as a toast. */
function useActions(refresh: () => void, onSecret: (secret: string) => void): WebhookActions {
  const [, enable] = useMutation(EnableWebhookDocument);
  const [, remove] = useMutation(DeleteWebhookDocument);
  const [, rotate] = useMutation(RotateWebhookSecretDocument);
  const [, test] = useMutation(TestWebhookDocument);
  const settle = (fault: string | null, done?: string) => {
    if (fault !== null) showToast(fault);
    else if (done) showToast(done);
    refresh();
  };
  return {
    enable: async ({ id, enabled }) => settle(faultOf(await enable({ id, enabled: !enabled }))),
    async remove({ id, url }) {
      if (window.confirm(text.confirmRemove(url))) settle(faultOf(await remove({ id })));
    },
    async rotate({ id }) {
      const result = await rotate({ id });
      const secret = result.data?.rotateWebhookSecret?.secret;
      if (secret) onSecret(secret);
      else settle(faultOf(result) ?? shared.unexpected);
    },
    test: async ({ id }) => settle(faultOf(await test({ id })), text.testSent),
  };
}

function Webhooks() {
  const [creates, setCreates] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [shown, setShown] = useState<Webhook | null>(null);
  const [{ data, error }, read] = useQuery({ query: WebhooksDocument, requestPolicy: 'cache-and-network' });
  const refresh = () => read({ requestPolicy: 'network-only' });
  useRefreshWhenShown(refresh);
  const actions = useActions(refresh, setSecret);
  const found = data?.webhooks;
  const isShown = found?.some(({ id }) => id === shown?.id);
  return (
    <Page
      title={shell.webhooks}
      actions={
        <Button kind="primary" icon="plus" onClick={() => setCreates(true)}>
          {text.create}
        </Button>
      }
    >
      <p className={styles.intro}>{text.intro}</p>
      {error && !data ? (
        <ErrorNotice message={messageOf(error)} onRetry={refresh} />
      ) : !found ? (
        <Card>
          <Skeleton lines={4} />
        </Card>
      ) : found.length === 0 ? (
        <Notice icon="webhooks" title={text.empty}>
          <p>{text.emptyHint}</p>
        </Notice>
      ) : (
        <Card>
          <WebhookTable webhooks={found} actions={actions} onShow={setShown} />
        </Card>
      )}
      {shown && isShown ? <Deliveries key={shown.id} webhook={shown} /> : null}
      <CreateDialog
        open={creates}
        onClose={() => setCreates(false)}
        onCreated={(made) => {
          setSecret(made);
          refresh();
        }}
      />
      <SecretDialog secret={secret} onClose={() => setSecret(null)} />
    </Page>
  );
}
