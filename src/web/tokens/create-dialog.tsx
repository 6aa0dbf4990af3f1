import { type SubmitEvent, useId, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { faultOf } from '../client/errors.ts';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Field } from '../design/field.tsx';
import { CreateTokenDocument, type Scope } from '../generated/graphql.ts';
import { text as shared } from '../text/shared.ts';
import { tokens as text } from '../text/tokens.ts';
import { type Expiry, expiryOf } from './expiry.ts';
import { ExpiryField } from './expiry-field.tsx';
import { ScopeFields } from './scope-fields.tsx';
import styles from './tokens.module.css';
import { UserField } from './user-field.tsx';

interface CreateDialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onCreated: (made: { readonly name: string; readonly token: string }) => void;
}

export const CreateDialog = ({ open, onClose, onCreated }: CreateDialogProps) => {
  const form = useId();
  const [busy, setBusy] = useState(false);
  return (
    <Dialog
      title={text.createTitle}
      open={open}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{shared.cancel}</Button>
          <Button kind="primary" type="submit" form={form} busy={busy}>
            {text.create}
          </Button>
        </>
      }
    >
      <CreateForm id={form} onBusy={setBusy} onCreated={onCreated} />
    </Dialog>
  );
};

interface CreateFormProps extends Pick<CreateDialogProps, 'onCreated'> {
  readonly id: string;
  readonly onBusy: (busy: boolean) => void;
}

interface Faults {
  readonly name?: string;
  readonly scopes?: string;
  readonly expiry?: string;
  readonly other?: string;
}

function CreateForm({ id, onBusy, onCreated }: CreateFormProps) {
  const [name, setName] = useState('');
  const [userId, setUserId] = useState('');
  const [scopes, setScopes] = useState<readonly Scope[]>(['IMAGES_READ']);
  const [expiry, setExpiry] = useState<Expiry>('quarter');
  const [day, setDay] = useState('');
  const [faults, setFaults] = useState<Faults>({});
  const [, create] = useMutation(CreateTokenDocument);
  const sends = useRef(false);

  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (sends.current) return;
    const expires = expiryOf(expiry, day, new Date());
    const found: Faults = {
      ...(name.trim() ? {} : { name: text.nameMissing }),
      ...(scopes.length > 0 ? {} : { scopes: text.scopesMissing }),
      ...(expires === undefined ? { expiry: text.dayMissing } : {}),
    };
    setFaults(found);
    if (Object.keys(found).length > 0 || expires === undefined) return;
    sends.current = true;
    onBusy(true);
    const result = await create({
      input: {
        name: name.trim(),
        scopes: [...scopes],
        userId: userId.trim() || null,
        expiresAt: expires?.toISOString() ?? null,
      },
    });
    sends.current = false;
    onBusy(false);
    const token = result.data?.createToken?.token;
    if (token) onCreated({ name: name.trim(), token });
    else setFaults({ other: faultOf(result) ?? shared.unexpected });
  };

  return (
    <form id={id} className={styles.form} onSubmit={submit} noValidate>
      <Field label={text.name} hint={text.nameHint} error={faults.name}>
        {(control) => (
          <input
            {...control}
            data-autofocus
            value={name}
            maxLength={100}
            autoComplete="off"
            required
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <UserField value={userId} onChange={setUserId} />
      <ScopeFields scopes={scopes} error={faults.scopes} onChange={setScopes} />
      <ExpiryField expiry={expiry} day={day} error={faults.expiry} onExpiry={setExpiry} onDay={setDay} />
      {faults.other ? (
        <p className={styles.fault} role="alert">
          {faults.other}
        </p>
      ) : null}
    </form>
  );
}
