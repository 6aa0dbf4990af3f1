import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useMay } from '../../client/session.tsx';
import { Button } from '../../design/button.tsx';
import { Field } from '../../design/field.tsx';
import { showToast } from '../../design/toast.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { edit } from '../../text/image-details.ts';
import { text } from '../../text/shared.ts';
import { Section } from '../section.tsx';
import styles from './file-settings.module.css';
import { useUpdate } from './use-update.ts';

interface FileSettingsProps {
  readonly image: ImageDetailsFragment;
}

/** Name of the file, visibility and pin of the image, editable in place. */
export function FileSettings({ image }: FileSettingsProps) {
  const mayEdit = useMay('IMAGES_WRITE') && !image.deletedAt;
  return (
    <Section title={edit.settings}>
      <FileName key={image.id} image={image} mayEdit={mayEdit} />
      <VisibilitySwitch image={image} mayEdit={mayEdit} />
      <PinSwitch image={image} mayEdit={mayEdit} />
    </Section>
  );
}

interface EditableProps extends FileSettingsProps {
  readonly mayEdit: boolean;
}

function FileName({ image, mayEdit }: EditableProps) {
  const [isEditing, setEditing] = useState(false);
  const name = image.originalFilename ?? image.filename;
  if (!name) return null;
  if (isEditing) return <FileNameForm image={image} name={name} onClose={() => setEditing(false)} />;
  return (
    <div className={styles.line}>
      <div className={styles.words}>
        <h3>{edit.name}</h3>
        <p className={styles.name}>{name}</p>
      </div>
      {mayEdit ? (
        <Button icon="edit" aria-label={edit.rename} onClick={() => setEditing(true)}>
          {edit.edit}
        </Button>
      ) : null}
    </div>
  );
}

interface FileNameFormProps extends FileSettingsProps {
  readonly name: string;
  readonly onClose: () => void;
}

function FileNameForm({ image, name, onClose }: FileNameFormProps) {
  const { isBusy, update } = useUpdate(image);
  const [value, setValue] = useState(name);
  const [fault, setFault] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.select(), []);
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const filename = value.trim();
    if (filename === name) return onClose();
    const reason = filename === '' ? edit.nameEmpty : await update({ filename }, edit.renamed);
    setFault(reason);
    if (reason === null) onClose();
  };
  return (
    <form className={styles.form} onSubmit={save}>
      <Field label={edit.name} hint={edit.nameHint} error={fault ?? undefined}>
        {(control) => (
          <input
            {...control}
            ref={input}
            value={value}
            autoComplete="off"
            onChange={({ target }) => setValue(target.value)}
            onKeyDown={(event) => event.key === 'Escape' && onClose()}
          />
        )}
      </Field>
      <div className={styles.buttons}>
        <Button onClick={onClose}>{text.cancel}</Button>
        <Button type="submit" kind="primary" busy={isBusy}>
          {text.save}
        </Button>
      </div>
    </form>
  );
}

function VisibilitySwitch({ image, mayEdit }: EditableProps) {
  const isPrivate = image.visibility === 'PRIVATE';
  return (
    <Switch
      image={image}
      mayEdit={mayEdit}
      name="private"
      label={edit.private}
      hint={isPrivate ? edit.isPrivate : edit.isPublic}
      isOn={isPrivate}
      changes={{ visibility: isPrivate ? 'PUBLIC' : 'PRIVATE' }}
      done={isPrivate ? edit.nowPublic : edit.nowPrivate}
    />
  );
}

const PinSwitch = ({ image, mayEdit }: EditableProps) => (
  <Switch
    image={image}
    mayEdit={mayEdit}
    name="pinned"
    label={edit.pinned}
    hint={image.pinned ? edit.isPinned : edit.isNotPinned}
    isOn={image.pinned}
    changes={{ pinned: !image.pinned }}
    done={image.pinned ? edit.nowNotPinned : edit.nowPinned}
  />
);

interface SwitchProps extends EditableProps {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly isOn: boolean;
  /** Changes that turn it over, and what the page then says. */
  readonly changes: Parameters<ReturnType<typeof useUpdate>['update']>[0];
  readonly done: string;
}

function Switch({ image, mayEdit, name, label, hint, isOn, changes, done }: SwitchProps) {
  const { isBusy, update } = useUpdate(image);
  const change = async () => {
    const fault = await update(changes, done);
    if (fault !== null) showToast(fault, { tone: 'bad' });
  };
  return (
    <div className={styles.line}>
      <div className={styles.words}>
        <h3 id={name}>{label}</h3>
        <p id={`${name}-hint`} className={styles.hint}>
          {hint}
        </p>
      </div>
      <button
        type="button"
        role="switch"
        className={styles.switch}
        aria-checked={isOn}
        aria-labelledby={name}
        aria-describedby={`${name}-hint`}
        aria-busy={isBusy || undefined}
        disabled={!mayEdit}
        onClick={isBusy ? undefined : change}
      >
        <span />
      </button>
    </div>
  );
}
