import { Choice, FieldGroup } from '../design/field.tsx';
import styles from './stores.module.css';

interface ChoicesProps {
  readonly legend: string;
  readonly names: readonly string[];
  readonly chosen: readonly string[];
  readonly error: string | undefined;
  readonly onChange: (chosen: readonly string[]) => void;
}

/** Checkboxes, of which at least one is chosen. */
export const Choices = ({ legend, names, chosen, error, onChange }: ChoicesProps) => (
  <FieldGroup legend={legend} error={error}>
    <div className={styles.names}>
      {names.map((name) => (
        <Choice
          key={name}
          type="checkbox"
          label={name}
          checked={chosen.includes(name)}
          onChange={({ target }) =>
            onChange(names.filter((each) => (each === name ? target.checked : chosen.includes(each))))
          }
        />
      ))}
    </div>
  </FieldGroup>
);

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
  <FieldGroup legend={legend}>
    {options.map((option) => (
      <Choice
        key={option.value}
        type="radio"
        name={name}
        label={option.name}
        hint={option.hint}
        checked={option.value === value}
        onChange={() => onChange(option.value)}
      />
    ))}
  </FieldGroup>
);
