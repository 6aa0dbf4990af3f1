import { type FormEvent, useState } from 'react';
import { Button } from '../design/button.tsx';
import { Field } from '../design/field.tsx';
import type { AuditAction } from '../generated/graphql.ts';
import { audit as text } from '../text/audit.ts';
import styles from './audit.module.css';
import { type Conditions, parseConditions } from './conditions.ts';

interface ConditionsFormProps {
  readonly conditions: Conditions;
  readonly onShow: (conditions: Conditions) => void;
}

const ACTIONS = Object.keys(text.verbs) as AuditAction[];

export function ConditionsForm({ conditions, onShow }: ConditionsFormProps) {
  const [given, setGiven] = useState(conditions);
  const set = (name: keyof Conditions) => (event: { target: { value: string } }) =>
    setGiven({ ...given, [name]: event.target.value });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onShow(given);
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <Field label={text.actor} hint={text.actorHint}>
        {(control) => <input {...control} value={given.actor} onChange={set('actor')} />}
      </Field>
      <Field label={text.action}>
        {(control) => (
          <select {...control} value={given.action} onChange={set('action')}>
            <option value="">{text.everything}</option>
            {ACTIONS.map((action) => (
              <option key={action} value={action}>
                {optionOf(action)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={text.subject} hint={text.subjectHint}>
        {(control) => <input {...control} value={given.subject} onChange={set('subject')} />}
      </Field>
      <Field label={text.from}>
        {(control) => <input {...control} type="date" value={given.from} onChange={set('from')} />}
      </Field>
      <Field label={text.to}>
        {(control) => <input {...control} type="date" value={given.to} onChange={set('to')} />}
      </Field>
      <div className={styles.buttons}>
        <Button kind="primary" type="submit">
          {text.apply}
        </Button>
        <Button type="button" onClick={() => onShow(parseConditions(''))}>
          {text.clear}
        </Button>
      </div>
    </form>
  );
}

/** Returns the action with its subject, such as `moved to the trash: image`. */
function optionOf(action: AuditAction): string {
  const [subject = ''] = action.split('_');
  return `${text.verbs[action]}: ${text.subjects[subject as keyof typeof text.subjects]}`;
}
