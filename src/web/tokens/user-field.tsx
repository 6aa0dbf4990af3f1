import { Field } from '../design/field.tsx';
import { tokens as text } from '../text/tokens.ts';

interface UserFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** The user whose images the token can access. A name without images is possible. */
export const UserField = ({ value, onChange }: UserFieldProps) => (
  <Field label={text.user} hint={text.userHint}>
    {(control) => (
      <input
        {...control}
        value={value}
        maxLength={255}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
    )}
  </Field>
);
