import { useState } from 'react';
import { useSession } from '../client/session.tsx';
import { Field } from '../design/field.tsx';
import { TagsField } from '../design/tags-field.tsx';
import { text as common } from '../text/shared.ts';
import { upload as text } from '../text/upload.ts';
import type { UploadOptions } from './options.ts';
import styles from './upload.module.css';

interface OptionsProps {
  readonly options: UploadOptions;
  readonly onChange: (options: UploadOptions) => void;
}

/** Options of the images that are added next. */
export function OptionsCard({ options, onChange }: OptionsProps) {
  const { viewer, server } = useSession();
  // A phone shows the list first.
  const [isWide] = useState(() => matchMedia('(min-width: 60rem)').matches);
  const set = (changes: Partial<UploadOptions>) => onChange({ ...options, ...changes });
  return (
    <details className={styles.options} open={isWide}>
      <summary>
        <h2>{text.options}</h2>
      </summary>
      <TagsField label={common.tags} value={options.tags} onChange={(tags) => set({ tags })} />
      <Field label={text.visibility} hint={text.visibilityHint}>
        {(control) => (
          <select
            {...control}
            value={options.visibility}
            onChange={({ target }) => set({ visibility: target.value as UploadOptions['visibility'] })}
          >
            <option value="">{text.byDefault(text.visibilities[server.defaultVisibility])}</option>
            {Object.entries(text.visibilities).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={text.onDuplicate}>
        {(control) => (
          <select
            {...control}
            value={options.onDuplicate}
            onChange={({ target }) => set({ onDuplicate: target.value as UploadOptions['onDuplicate'] })}
          >
            {Object.entries(text.onDuplicates).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
      {viewer.userId === null ? (
        <Field label={text.user} hint={text.byDefault(viewer.defaultUserId)}>
          {(control) => (
            <input
              {...control}
              value={options.userId}
              maxLength={255}
              onChange={({ target }) => set({ userId: target.value })}
            />
          )}
        </Field>
      ) : null}
      <MoreOptions options={options} onChange={onChange} />
    </details>
  );
}

const MoreOptions = ({ options, onChange }: OptionsProps) => (
  <details className={styles.more}>
    <summary>{text.more}</summary>
    <Field label={text.prompt} hint={text.promptHint}>
      {(control) => (
        <textarea
          {...control}
          rows={3}
          maxLength={32_000}
          value={options.prompt}
          onChange={({ target }) => onChange({ ...options, prompt: target.value })}
        />
      )}
    </Field>
    <Field label={text.tool} hint={text.toolHint}>
      {(control) => (
        <input
          {...control}
          value={options.tool}
          maxLength={100}
          onChange={({ target }) => onChange({ ...options, tool: target.value })}
        />
      )}
    </Field>
  </details>
);
