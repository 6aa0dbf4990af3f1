import { useId } from 'react';
import { useQuery } from 'urql';
import { formatCount } from '../design/format.ts';
import { spoken } from '../design/spoken.tsx';
import { OverviewChoicesDocument } from '../generated/graphql.ts';
import { overview as text } from '../text/overview.ts';
import styles from './overview.module.css';
import { imageFilterOf, RANGES, type Selection } from './selection.ts';

interface SelectorsProps {
  readonly selection: Selection;
  readonly today: string;
  /** Whether there is more than one user to choose from. */
  readonly hasUsers: boolean;
  readonly onChange: (selection: Selection) => void;
}

/** Range of time, tool and user; the address has the choice. */
export function Selectors({ selection, today, hasUsers, onChange }: SelectorsProps) {
  const { range, tool, user, ...rest } = selection;
  const filter = imageFilterOf({ range }, today);
  const [{ data }] = useQuery({ query: OverviewChoicesDocument, variables: { filter } });
  const stats = data?.imageStats;
  return (
    <div className={styles.selectors}>
      <fieldset className={styles.ranges}>
        <legend className={spoken}>{text.range}</legend>
        {RANGES.map((each) => (
          <label key={each} title={text.rangeNames[each]}>
            <input
              type="radio"
              name="range"
              value={each}
              checked={each === range}
              onChange={() => onChange({ ...selection, range: each })}
            />
            <span>{text.ranges[each]}</span>
          </label>
        ))}
      </fieldset>
      <Choice
        label={text.tool}
        every={text.everyTool}
        value={tool}
        choices={(stats?.byTool ?? []).map((each) => ({ value: each.tool, count: each.total }))}
        onChange={(chosen) =>
          onChange({ ...rest, range, ...(user ? { user } : {}), ...(chosen ? { tool: chosen } : {}) })
        }
      />
      {hasUsers ? (
        <Choice
          label={text.user}
          every={text.everyUser}
          value={user}
          choices={(stats?.byUser ?? []).map((each) => ({ value: each.userId, count: each.total }))}
          onChange={(chosen) =>
            onChange({ ...rest, range, ...(tool ? { tool } : {}), ...(chosen ? { user: chosen } : {}) })
          }
        />
      ) : null}
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  /** Name of the choice of all. */
  readonly every: string;
  readonly value: string | undefined;
  readonly choices: readonly { readonly value: string; readonly count: number }[];
  readonly onChange: (value: string) => void;
}

function Choice({ label, every, value, choices, onChange }: ChoiceProps) {
  const id = useId();
  const isMissing = value !== undefined && !choices.some((choice) => choice.value === value);
  return (
    <span className={styles.choice}>
      <label className={spoken} htmlFor={id}>
        {label}
      </label>
      <select id={id} value={value ?? ''} onChange={(event) => onChange(event.target.value)}>
        <option value="">{every}</option>
        {isMissing ? <option value={value}>{value}</option> : null}
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {text.choice(choice.value, formatCount(choice.count))}
          </option>
        ))}
      </select>
    </span>
  );
}
