import { type SubmitEvent, useId, useState } from 'react';
import { useMutation } from 'urql';
import { faultOf } from '../client/errors.ts';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Choice, Field, FieldGroup } from '../design/field.tsx';
import { CreateWebhookDocument, type WebhookEventType } from '../generated/graphql.ts';
import { text as shared } from '../text/shared.ts';
import { webhooks as text } from '../text/webhooks.ts';
import styles from './webhooks.module.css';

const EVENTS = Object.keys(text.events) as WebhookEventType[];

interface CreateDialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onCreated: (secret: string) => void;
}

export function CreateDialog({ open, onClose, onCreated }: CreateDialogProps) {
  const form = useId();
  const [url, setUrl] = useState('');
  const [chosen, setChosen] = useState<readonly WebhookEventType[]>([]);
  const [fault, setFault] = useState<string | null>(null);
  const [{ fetching }, create] = useMutation(CreateWebhookDocument);
  const close = () => {
    setUrl('');
    setChosen([]);
    setFault(null);
    onClose();
  };
  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const result = await create({ input: { url: url.trim(), eventTypes: [...chosen] } });
    const secret = result.data?.createWebhook?.secret;
    if (!secret) return setFault(faultOf(result) ?? shared.unexpected);
    close();
    onCreated(secret);
  };
  const choose = (type: WebhookEventType, isChosen: boolean) =>
    setChosen(isChosen ? [...chosen, type] : chosen.filter((each) => each !== type));
  return (
    <Dialog
      title={text.create}
      open={open}
      onClose={close}
      actions={
        <>
          <Button onClick={close}>{shared.cancel}</Button>
          <Button kind="primary" type="submit" form={form} busy={fetching}>
            {text.create}
          </Button>
        </>
      }
    >
      <form id={form} className={styles.form} onSubmit={submit} noValidate>
        <Field label={text.url} hint={text.urlHint} error={fault ?? undefined}>
          {(control) => (
            <input
              {...control}
              data-autofocus
              type="url"
              value={url}
              autoComplete="off"
              onChange={(event) => setUrl(event.target.value)}
            />
          )}
        </Field>
        <FieldGroup legend={`${text.eventTypes}. ${text.eventTypesHint}`}>
          {EVENTS.map((type) => (
            <Choice
              key={type}
              type="checkbox"
              label={text.events[type]}
              checked={chosen.includes(type)}
              onChange={(event) => choose(type, event.target.checked)}
            />
          ))}
        </FieldGroup>
      </form>
    </Dialog>
  );
}
