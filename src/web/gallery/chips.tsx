import { Icon } from '../design/icon.tsx';
import type { GalleryFilter } from '../state/filter.ts';
import { gallery as text } from '../text/gallery.ts';
import styles from './chips.module.css';
import { chipsOf } from './conditions.ts';

interface ChipsProps {
  readonly filter: GalleryFilter;
  readonly onChange: (filter: GalleryFilter) => void;
}

/** Conditions of the filter, each with a way to remove it. */
export function Chips({ filter, onChange }: ChipsProps) {
  const chips = chipsOf(filter);
  if (chips.length === 0) return null;
  return (
    <ul className={styles.chips} aria-label={text.chosen}>
      {chips.map(({ key, label, without }) => (
        <li key={key}>
          <button
            type="button"
            className={styles.chip}
            aria-label={text.removeFilter(label)}
            title={text.removeFilter(label)}
            onClick={() => onChange(without)}
          >
            <span>{label}</span>
            <Icon name="close" size={14} />
          </button>
        </li>
      ))}
      {chips.length > 1 ? (
        <li>
          <button
            type="button"
            className={styles.clear}
            onClick={() => onChange(filter.order ? { order: filter.order } : {})}
          >
            {text.clearAll}
          </button>
        </li>
      ) : null}
    </ul>
  );
}
