import { useState } from 'react';
import { formatCount } from '../design/format.ts';
import { gallery as text } from '../text/gallery.ts';
import styles from './filter-panel.module.css';
import type { Facet } from './use-facets.ts';

interface OptionListProps<Value extends string> {
  readonly label: string;
  readonly options: readonly { readonly value: Value; readonly label: string; readonly count?: number }[];
  readonly chosen: readonly Value[];
  readonly onToggle: (value: Value) => void;
}

/** Values to choose, each with a check box. */
export const OptionList = <Value extends string>(props: OptionListProps<Value>) => (
  <fieldset className={styles.part}>
    <legend>{props.label}</legend>
    {props.options.map(({ value, label, count }) => (
      <label key={value} className={styles.option}>
        <input
          type="checkbox"
          checked={props.chosen.includes(value)}
          onChange={() => props.onToggle(value)}
        />
        <span>{label}</span>
        {count === undefined ? null : <small>{formatCount(count)}</small>}
      </label>
    ))}
  </fieldset>
);

interface FacetListProps {
  readonly label: string;
  readonly facets: readonly Facet[];
  readonly chosen: readonly string[];
  readonly onToggle: (value: string) => void;
}

/** Most values that are shown before a person asks for all. */
const FEW = 6;

/** Values that occur in the images, most frequent first. A chosen value is there even if it finds nothing. */
export function FacetList({ label, facets, chosen, onToggle }: FacetListProps) {
  const [showsAll, setShowsAll] = useState(false);
  const missing = chosen.filter((value) => !facets.some((facet) => facet.value === value));
  const all = [...missing.map((value) => ({ value, count: 0 })), ...facets];
  if (all.length === 0) return null;
  const shown = showsAll ? all : all.filter(({ value }, index) => index < FEW || chosen.includes(value));
  return (
    <div>
      <OptionList
        label={label}
        options={shown.map(({ value, count }) => ({ value, label: value, count }))}
        chosen={chosen}
        onToggle={onToggle}
      />
      {all.length > FEW ? (
        <button type="button" className={styles.more} onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? text.showFewer : text.showAll(all.length)}
        </button>
      ) : null}
    </div>
  );
}
