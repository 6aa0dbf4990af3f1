import type { ReactNode } from 'react';
import { Field } from '../../design/field.tsx';

interface ChoiceProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** The options. */
  readonly children: ReactNode;
}

/** A field with a list to choose from. */
export const Choice = ({ label, hint, error, value, onChange, children }: ChoiceProps) => (
  <Field label={label} hint={hint} error={error}>
    {(control) => (
      <select {...control} value={value} onChange={({ target }) => onChange(target.value)}>
        {children}
      </select>
    )}
  </Field>
);

/** Options whose texts are their values. */
export const Options = ({ values }: { readonly values: readonly string[] }) =>
  values.map((value) => (
    <option key={value} value={value}>
      {value}
    </option>
  ));
