import { useId } from 'react';
import { useQuery } from 'urql';
import { Field } from '../design/field.tsx';
import { TokenUsersDocument } from '../generated/graphql.ts';
import { tokens as text } from '../text/tokens.ts';

interface UserFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** The user whose images the token can access. Users with images are suggested; any other is possible. */
export function UserField({ value, onChange }: UserFieldProps) {
  const id = useId();
  const [{ data }] = useQuery({ query: TokenUsersDocument });
  return (
    <Field label={text.user} hint={text.userHint}>
      {(control) => (
        <>
          <input
            {...control}
            list={id}
            value={value}
            maxLength={255}
            autoComplete="off"
            onChange={(event) => onChange(event.target.value)}
          />
          <datalist id={id}>
            {data?.imageFacets.users.map((user) => (
              <option key={user.value} value={user.value} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
