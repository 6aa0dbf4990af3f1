import { useId } from 'react';
import styles from './stores.module.css';

interface ChoicesProps {
  readonly legend: string;
  readonly names: readonly string[];
  readonly chosen: readonly string[];
  readonly error: string | undefined;
  readonly onChange: (chosen: readonly string[]) => void;
}

/** Checkboxes, of which at least one is chosen. */
export function Choices({ legend, names, chosen, error, onChange }: ChoicesProps) {
  const id = useId();
  return (
    <fieldset className={styles.choices} aria-describedby={error ? id : undefined}>
      <legend>{legend}</legend>
      <div className={styles.names}>
        {names.map((name) => (
          <label key={name} className={styles.choice}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={({ target }) =>
                onChange(names.filter((each) => (each === name ? target.checked : chosen.includes(each))))
              }
            />
            {name}
          </label>
        ))}
      </div>
      {error ? (
        <p id={id} className={styles.fault}>
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}

interface RadiosProps<Value extends string> {
  readonly legend: string;
  readonly name: string;
  readonly options: readonly { readonly value: Value; readonly name: string; readonly hint: string }[];
  readonly value: Value;
  readonly onChange: (value: Value) => void;
}

/** Radio buttons, each with what it means. */
export const Radios = <Value extends string>({
  legend,
  name,
  options,
  value,
  onChange,
}: RadiosProps<Value>) => (
  <fieldset className={styles.choices}>
    <legend>{legend}</legend>
    {options.map((option) => (
      <label key={option.value} className={styles.choice}>
        <input
          type="radio"
          name={name}
          checked={option.value === value}
          onChange={() => onChange(option.value)}
        />
        <span>
          {option.name}
          <span className={styles.note}>{option.hint}</span>
        </span>
      </label>
    ))}
  </fieldset>
);
