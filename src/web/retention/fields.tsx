import { Field } from '../design/field.tsx';

interface TextFieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly value: string;
  readonly isNumber?: boolean;
  readonly onChange: (value: string) => void;
}

export const TextField = ({ label, hint, error, value, isNumber = false, onChange }: TextFieldProps) => (
  <Field label={label} hint={hint} error={error}>
    {(control) => (
      <input
        {...control}
        value={value}
        maxLength={255}
        autoComplete="off"
        inputMode={isNumber ? 'decimal' : undefined}
        onChange={({ target }) => onChange(target.value)}
      />
    )}
  </Field>
);

interface SelectFieldProps<Name extends string> {
  readonly label: string;
  /** Text of each value. */
  readonly names: Readonly<Record<Name, string>>;
  readonly value: Name;
  readonly onChange: (value: Name) => void;
}

export const SelectField = <Name extends string>({
  label,
  names,
  value,
  onChange,
}: SelectFieldProps<Name>) => (
  <Field label={label}>
    {(control) => (
      <select {...control} value={value} onChange={({ target }) => onChange(target.value as Name)}>
        {Object.entries<string>(names).map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    )}
  </Field>
);
