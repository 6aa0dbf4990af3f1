import { Field } from '../design/field.tsx';
import { formatTime } from '../design/format.ts';
import { tokens as text } from '../text/tokens.ts';
import { EXPIRIES, type Expiry, expiryOf } from './expiry.ts';
import styles from './tokens.module.css';

interface ExpiryFieldProps {
  readonly expiry: Expiry;
  /** Last day, as `YYYY-MM-DD`. */
  readonly day: string;
  readonly error: string | undefined;
  readonly onExpiry: (expiry: Expiry) => void;
  readonly onDay: (day: string) => void;
}

/** When the token expires: after a usual time, on a day, or never. */
export function ExpiryField({ expiry, day, error, onExpiry, onDay }: ExpiryFieldProps) {
  const expires = expiryOf(expiry, day, new Date());
  const hint = expires ? text.expiryHint(formatTime(expires.toISOString())) : text.neverHint;
  const isDate = expiry === 'date';
  return (
    <div className={styles.expiry}>
      <Field label={text.expires} hint={isDate ? undefined : hint}>
        {(control) => (
          <select {...control} value={expiry} onChange={(event) => onExpiry(event.target.value as Expiry)}>
            {EXPIRIES.map((each) => (
              <option key={each} value={each}>
                {text.expiries[each]}
              </option>
            ))}
          </select>
        )}
      </Field>
      {isDate ? (
        <Field label={text.day} hint={expires ? hint : undefined} error={error}>
          {(control) => (
            <input {...control} type="date" value={day} onChange={(event) => onDay(event.target.value)} />
          )}
        </Field>
      ) : null}
    </div>
  );
}
