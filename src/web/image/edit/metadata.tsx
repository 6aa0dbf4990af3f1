import { useEffect, useRef, useState } from 'react';
import { useMay } from '../../client/session.tsx';
import { Button } from '../../design/button.tsx';
import { CopyButton } from '../../design/copy-button.tsx';
import { Field } from '../../design/field.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { edit, facts } from '../../text/image-details.ts';
import { text } from '../../text/shared.ts';
import { Section } from '../section.tsx';
import styles from './metadata.module.css';
import { parseMetadata } from './parse-metadata.ts';
import { useUpdate } from './use-update.ts';

interface MetadataProps {
  readonly image: ImageDetailsFragment;
}

const format = (value: unknown) =>
  value === null || value === undefined ? '' : JSON.stringify(value, null, 2);

/** The metadata of an image as JSON, editable in place. */
export function Metadata({ image }: MetadataProps) {
  const mayEdit = useMay('IMAGES_WRITE') && !image.deletedAt;
  const [isEditing, setEditing] = useState(false);
  const source = format(image.metadata);
  const buttons = isEditing ? null : (
    <>
      {source === '' ? null : <CopyButton value={source} label={facts.copy(edit.metadata)} />}
      {mayEdit ? (
        <Button
          icon="edit"
          aria-label={source === '' ? edit.addMetadata : edit.editMetadata}
          onClick={() => setEditing(true)}
        >
          {source === '' ? edit.add : edit.edit}
        </Button>
      ) : null}
    </>
  );
  return (
    <Section title={edit.metadata} actions={buttons}>
      {isEditing ? (
        <Editor key={image.id} image={image} onClose={() => setEditing(false)} />
      ) : source === '' ? (
        <p className={styles.none}>{edit.noMetadata}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard.
        <pre className={styles.json} tabIndex={0}>
          {source}
        </pre>
      )}
    </Section>
  );
}

function Editor({ image, onClose }: MetadataProps & { readonly onClose: () => void }) {
  const { isBusy, update } = useUpdate(image);
  const [source, setSource] = useState(() => format(image.metadata));
  const [fault, setFault] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const save = async () => {
    const parsed = parseMetadata(source);
    const reason =
      'fault' in parsed ? parsed.fault : await update({ metadata: parsed.value }, edit.metadataSaved);
    setFault(reason);
    if (reason === null) onClose();
    else field.current?.focus();
  };
  return (
    <>
      <Field label={edit.json} hint={edit.jsonHint} error={fault ?? undefined}>
        {({ className, ...control }) => (
          <textarea
            {...control}
            ref={field}
            className={[className, styles.editor].join(' ')}
            value={source}
            rows={Math.min(24, Math.max(6, source.split('\n').length + 1))}
            spellCheck={false}
            onChange={({ target }) => {
              setSource(target.value);
              setFault(null);
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) save();
              else if (event.key === 'Escape') onClose();
            }}
          />
        )}
      </Field>
      <div className={styles.buttons}>
        <Button onClick={onClose}>{text.cancel}</Button>
        <Button kind="primary" busy={isBusy} onClick={save}>
          {text.save}
        </Button>
      </div>
    </>
  );
}
