import { useId } from 'react';
import type { Scope } from '../generated/graphql.ts';
import { tokens as text } from '../text/tokens.ts';
import styles from './tokens.module.css';

interface ScopeFieldsProps {
  readonly scopes: readonly Scope[];
  readonly error: string | undefined;
  readonly onChange: (scopes: readonly Scope[]) => void;
}

const NAMES = Object.keys(text.scopes) as Scope[];

/** The permissions, each with what it permits. ADMIN includes all others. */
export function ScopeFields({ scopes, error, onChange }: ScopeFieldsProps) {
  const id = useId();
  const isAdmin = scopes.includes('ADMIN');
  const change = (scope: Scope, chosen: boolean) =>
    onChange(chosen ? [...scopes, scope] : scopes.filter((each) => each !== scope));
  return (
    <fieldset className={styles.scopeFields} aria-describedby={error ? id : undefined}>
      <legend>{text.permissions}</legend>
      {NAMES.map((scope) => {
        const { name, hint } = text.scopes[scope];
        const isIncluded = isAdmin && scope !== 'ADMIN';
        return (
          <label key={scope} className={styles.scope}>
            <input
              type="checkbox"
              checked={isIncluded || scopes.includes(scope)}
              disabled={isIncluded}
              onChange={(event) => change(scope, event.target.checked)}
            />
            <span>
              <span className={styles.scopeName}>{name}</span>
              <span className={styles.note}>{hint}</span>
            </span>
          </label>
        );
      })}
      {error ? (
        <p id={id} className={styles.fault}>
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}
