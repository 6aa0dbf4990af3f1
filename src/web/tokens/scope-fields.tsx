import { Choice, FieldGroup } from '../design/field.tsx';
import type { Scope } from '../generated/graphql.ts';
import { tokens as text } from '../text/tokens.ts';

interface ScopeFieldsProps {
  readonly scopes: readonly Scope[];
  readonly error: string | undefined;
  readonly onChange: (scopes: readonly Scope[]) => void;
}

const NAMES = Object.keys(text.scopes) as Scope[];

/** The permissions, each with what it permits. ADMIN includes all others. */
export function ScopeFields({ scopes, error, onChange }: ScopeFieldsProps) {
  const isAdmin = scopes.includes('ADMIN');
  const change = (scope: Scope, chosen: boolean) =>
    onChange(chosen ? [...scopes, scope] : scopes.filter((each) => each !== scope));
  return (
    <FieldGroup legend={text.permissions} error={error}>
      {NAMES.map((scope) => {
        const { name, hint } = text.scopes[scope];
        const isIncluded = isAdmin && scope !== 'ADMIN';
        return (
          <Choice
            key={scope}
            type="checkbox"
            label={name}
            hint={hint}
            checked={isIncluded || scopes.includes(scope)}
            disabled={isIncluded}
            onChange={(event) => change(scope, event.target.checked)}
          />
        );
      })}
    </FieldGroup>
  );
}
