import { type SubmitEvent, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { faultOf } from '../client/errors.ts';
import { Field } from '../design/field.tsx';
import { StartRestoreDocument, StartVerifyDocument } from '../generated/graphql.ts';
import { stores as text } from '../text/stores.ts';
import { Choices, Radios } from './choices.tsx';
import {
  AMOUNTS,
  DEPTHS,
  faultsOf,
  restoreInputOf,
  type StartChoice,
  type StartFaults,
  type StartKind,
  verifyInputOf,
  WHICHES,
} from './start-input.ts';
import styles from './stores.module.css';

interface StartFormProps {
  readonly id: string;
  readonly kind: StartKind;
  readonly stores: readonly string[];
  /** Stores that are chosen at first. */
  readonly chosen: readonly string[];
  readonly onBusy: (busy: boolean) => void;
  readonly onStarted: (id: string) => void;
}

export function StartForm({ id, kind, stores, chosen, onBusy, onStarted }: StartFormProps) {
  const [choice, setChoice] = useState<StartChoice>({
    stores: chosen,
    depth: 'deep',
    amount: 100,
    which: 'all',
    user: '',
    maxMissing: '10',
  });
  const [faults, setFaults] = useState<StartFaults>({});
  const [failure, setFailure] = useState<string | null>(null);
  const [, verify] = useMutation(StartVerifyDocument);
  const [, restore] = useMutation(StartRestoreDocument);
  const sends = useRef(false);
  const change = (changed: Partial<StartChoice>) => setChoice({ ...choice, ...changed });

  const startVerify = async () => {
    const result = await verify({ input: verifyInputOf(choice, stores) });
    return { fault: faultOf(result), id: result.data?.startVerify?.run?.id };
  };
  const startRestore = async () => {
    const result = await restore({ input: restoreInputOf(choice, stores) });
    return { fault: faultOf(result), id: result.data?.startRestore?.run?.id };
  };
  const submit = async (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const found = faultsOf(kind, choice);
    setFaults(found);
    if (sends.current || Object.keys(found).length > 0) return;
    sends.current = true;
    onBusy(true);
    const outcome = kind === 'VERIFY' ? await startVerify() : await startRestore();
    sends.current = false;
    onBusy(false);
    setFailure(outcome.fault);
    if (outcome.id !== undefined) onStarted(outcome.id);
  };

  return (
    <form id={id} className={styles.form} onSubmit={submit} noValidate>
      <p className={styles.note}>{text.dialogHint[kind]}</p>
      <Choices
        legend={text.chosenStores}
        names={stores}
        chosen={choice.stores}
        error={faults.stores ? text.storesMissing : undefined}
        onChange={(names) => change({ stores: names })}
      />
      {kind === 'VERIFY' ? (
        <VerifyFields choice={choice} onChange={change} />
      ) : (
        <RestoreFields choice={choice} faults={faults} onChange={change} />
      )}
      <MaxMissing choice={choice} faults={faults} onChange={change} />
      {failure === null ? null : (
        <p className={styles.fault} role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}

interface FieldsProps {
  readonly choice: StartChoice;
  readonly onChange: (changed: Partial<StartChoice>) => void;
}

const VerifyFields = ({ choice, onChange }: FieldsProps) => (
  <>
    <Radios
      legend={text.depth}
      name="depth"
      options={DEPTHS.map((value) => ({ value, ...text.depths[value] }))}
      value={choice.depth}
      onChange={(depth) => onChange({ depth })}
    />
    <Field label={text.amount} hint={text.amountHint}>
      {(control) => (
        <select
          {...control}
          value={choice.amount}
          onChange={({ target }) =>
            onChange({ amount: AMOUNTS.find((amount) => String(amount) === target.value) ?? 100 })
          }
        >
          {AMOUNTS.map((amount) => (
            <option key={amount} value={amount}>
              {text.amounts[amount]}
            </option>
          ))}
        </select>
      )}
    </Field>
  </>
);

const RestoreFields = ({ choice, faults, onChange }: FieldsProps & { readonly faults: StartFaults }) => (
  <>
    <Radios
      legend={text.which}
      name="which"
      options={WHICHES.map((value) => ({ value, ...text.whiches[value] }))}
      value={choice.which}
      onChange={(which) => onChange({ which })}
    />
    {choice.which === 'user' ? (
      <Field label={text.user} error={faults.user ? text.userMissing : undefined}>
        {(control) => (
          <input
            {...control}
            value={choice.user}
            maxLength={255}
            autoComplete="off"
            onChange={({ target }) => onChange({ user: target.value })}
          />
        )}
      </Field>
    ) : null}
  </>
);

const MaxMissing = ({ choice, faults, onChange }: FieldsProps & { readonly faults: StartFaults }) => (
  <Field
    label={text.maxMissing}
    hint={text.maxMissingHint}
    error={faults.maxMissing ? text.maxMissingWrong : undefined}
  >
    {(control) => (
      <input
        {...control}
        inputMode="numeric"
        value={choice.maxMissing}
        onChange={({ target }) => onChange({ maxMissing: target.value })}
      />
    )}
  </Field>
);
