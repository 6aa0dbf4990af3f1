import { type SubmitEvent, useId, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { faultOf } from '../client/errors.ts';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Choice } from '../design/field.tsx';
import { showToast } from '../design/toast.tsx';
import {
  CreateRetentionPolicyDocument,
  type PolicyFieldsFragment,
  UpdateRetentionPolicyDocument,
} from '../generated/graphql.ts';
import { retention as text } from '../text/retention.ts';
import { text as shared } from '../text/shared.ts';
import { SelectField, TextField } from './fields.tsx';
import { type FormFaults, faultsOf, formOf, inputOf, type PolicyForm } from './form.ts';
import styles from './retention.module.css';

interface PolicyDialogProps {
  /** Policy to change; 'new': create one; null: the dialog is closed. */
  readonly policy: PolicyFieldsFragment | 'new' | null;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

/** Creates or changes a policy. */
export function PolicyDialog({ policy, onClose, onSaved }: PolicyDialogProps) {
  const id = useId();
  const [busy, setBusy] = useState(false);
  const given = policy === 'new' ? null : policy;
  const saved = (name: string) => {
    showToast(text.saved(name));
    onSaved();
    onClose();
  };
  return (
    <Dialog
      title={given ? text.editTitle(given.name) : text.createTitle}
      open={policy !== null}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{shared.cancel}</Button>
          <Button kind="primary" type="submit" form={id} busy={busy}>
            {shared.save}
          </Button>
        </>
      }
    >
      <Form key={given?.name} id={id} policy={given} onBusy={setBusy} onSaved={saved} />
    </Dialog>
  );
}

interface FormProps {
  readonly id: string;
  readonly policy: PolicyFieldsFragment | null;
  readonly onBusy: (busy: boolean) => void;
  readonly onSaved: (name: string) => void;
}

function Form({ id, policy, onBusy, onSaved }: FormProps) {
  const [form, setForm] = useState(() => formOf(policy));
  const [faults, setFaults] = useState<FormFaults>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [, create] = useMutation(CreateRetentionPolicyDocument);
  const [, update] = useMutation(UpdateRetentionPolicyDocument);
  const sends = useRef(false);
  const set = (changed: Partial<PolicyForm>) => setForm({ ...form, ...changed });
  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const found = faultsOf(form);
    setFaults(found);
    if (sends.current || Object.keys(found).length > 0) return;
    sends.current = true;
    onBusy(true);
    const input = inputOf(form);
    const fault = faultOf(policy ? await update({ input }) : await create({ input }));
    sends.current = false;
    onBusy(false);
    setFailure(fault);
    if (fault === null) onSaved(input.name);
  };
  return (
    <form id={id} className={styles.form} onSubmit={submit} noValidate>
      {policy ? null : (
        <TextField
          label={text.name}
          hint={text.nameHint}
          value={form.name}
          onChange={(name) => set({ name })}
        />
      )}
      <Limits form={form} faults={faults} onChange={set} />
      <Which form={form} onChange={set} />
      <Choice
        type="checkbox"
        label={text.enabled}
        checked={form.enabled}
        onChange={({ target }) => set({ enabled: target.checked })}
      />
      {failure === null ? null : (
        <p className={styles.fault} role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}

interface PartProps {
  readonly form: PolicyForm;
  readonly onChange: (changed: Partial<PolicyForm>) => void;
}

const Limits = ({ form, faults, onChange }: PartProps & { readonly faults: FormFaults }) => {
  const number = (name: keyof FormFaults & keyof PolicyForm, label: string, hint: string) => (
    <TextField
      label={label}
      hint={hint}
      error={faults[name] ? text.notNumber : undefined}
      value={form[name]}
      isNumber
      onChange={(value) => onChange({ [name]: value })}
    />
  );
  return (
    <div className={styles.fields}>
      {number('maxAgeDays', text.maxAgeDays, text.noLimit)}
      <SelectField
        label={text.ageOf}
        names={text.ages}
        value={form.ageOf}
        onChange={(ageOf) => onChange({ ageOf })}
      />
      {number('maxCount', text.maxCount, text.noLimit)}
      {number('maxMegabytes', text.maxBytes, text.noLimit)}
      <SelectField
        label={text.group}
        names={text.groups}
        value={form.per}
        onChange={(per) => onChange({ per })}
      />
      {number('keepNewest', text.keepNewest, text.noneKept)}
      <TextField
        label={text.maxShare}
        hint={text.maxShareHint}
        error={faults.maxShare ? text.notShare : undefined}
        value={form.maxShare}
        isNumber
        onChange={(maxShare) => onChange({ maxShare })}
      />
    </div>
  );
};

const Which = ({ form, onChange }: PartProps) => (
  <fieldset className={styles.which}>
    <legend>{text.which}</legend>
    <div className={styles.fields}>
      {(['tool', 'tag', 'user'] as const).map((name) => (
        <TextField
          key={name}
          label={text[name]}
          hint={text.anyHint}
          value={form[name]}
          onChange={(value) => onChange({ [name]: value })}
        />
      ))}
      <SelectField
        label={text.status}
        names={text.statuses}
        value={form.status}
        onChange={(status) => onChange({ status })}
      />
      <SelectField
        label={text.origin}
        names={text.origins}
        value={form.origin}
        onChange={(origin) => onChange({ origin })}
      />
    </div>
    {Object.keys(form.others).length > 0 ? <p className={styles.note}>{text.otherConditions}</p> : null}
  </fieldset>
);
