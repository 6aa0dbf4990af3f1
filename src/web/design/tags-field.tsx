import { type KeyboardEvent, useState } from 'react';
import { text } from '../text/shared.ts';
import { Field } from './field.tsx';
import { Icon } from './icon.tsx';
import styles from './tags-field.module.css';

interface TagsFieldProps {
  readonly label: string;
  readonly value: readonly string[];
  readonly onChange: (tags: readonly string[]) => void;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
}

/** A list of tags. Enter or a comma ends a tag; Backspace in the empty field removes the last. */
export function TagsField({ label, value, onChange, hint = text.tagsHint, error }: TagsFieldProps) {
  const [draft, setDraft] = useState('');
  const put = (content: string) => {
    const added = content
      .split(/[,\n]/)
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '');
    if (added.length > 0) onChange([...new Set([...value, ...added])]);
    setDraft('');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && draft.trim() !== '') {
      event.preventDefault();
      put(draft);
    }
    if (event.key === 'Backspace' && draft === '') onChange(value.slice(0, -1));
  };
  return (
    <Field label={label} hint={hint} error={error}>
      {({ className, ...control }) => (
        <div className={[className, styles.box].join(' ')}>
          {value.map((tag) => (
            <button
              key={tag}
              type="button"
              className={styles.tag}
              aria-label={text.removeTag(tag)}
              onClick={() => onChange(value.filter((each) => each !== tag))}
            >
              {tag}
              <Icon name="close" size={12} />
            </button>
          ))}
          <input
            {...control}
            className={styles.input}
            value={draft}
            onChange={({ target }) =>
              target.value.includes(',') ? put(target.value) : setDraft(target.value)
            }
            onKeyDown={onKeyDown}
            onBlur={() => put(draft)}
            autoComplete="off"
            autoCapitalize="off"
          />
        </div>
      )}
    </Field>
  );
}
