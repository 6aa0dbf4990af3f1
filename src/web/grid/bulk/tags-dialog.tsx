import { useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field } from '../../design/field.tsx';
import { formatCount } from '../../design/format.ts';
import { bulk as text } from '../../text/gallery.ts';
import { text as common } from '../../text/shared.ts';
import type { Tile } from '../list/list.ts';
import styles from './tags-dialog.module.css';

interface TagsDialogProps {
  /** Images to tag; null: closed. */
  readonly tiles: readonly Tile[] | null;
  /** Whether every image of the filter is tagged. */
  readonly isAll: boolean;
  readonly onClose: () => void;
  readonly onApply: (add: readonly string[], removed: readonly string[], tiles: readonly Tile[]) => void;
}

/** Adds tags to images and removes others. */
export const TagsDialog = ({ tiles, ...rest }: TagsDialogProps) =>
  tiles === null ? null : <OpenTagsDialog tiles={tiles} {...rest} />;

interface OpenProps extends TagsDialogProps {
  readonly tiles: readonly Tile[];
}

function OpenTagsDialog({ tiles, isAll, onClose, onApply }: OpenProps) {
  const [added, setAdded] = useState('');
  const [removed, setRemoved] = useState<ReadonlySet<string>>(new Set());
  const add = [...new Set(added.split(',').map((tag) => tag.trim()))].filter((tag) => tag !== '');
  const apply = () => {
    onClose();
    onApply(add, [...removed], tiles);
  };
  return (
    <Dialog
      title={isAll ? text.tagsAllTitle : text.tagsTitle(tiles.length)}
      open
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" disabled={add.length === 0 && removed.size === 0} onClick={apply}>
            {text.applyTags}
          </Button>
        </>
      }
    >
      <Field label={text.addTags} hint={text.addTagsHint}>
        {(control) => (
          <input
            {...control}
            data-autofocus
            value={added}
            autoComplete="off"
            onChange={({ target }) => setAdded(target.value)}
            onKeyDown={({ key }) => key === 'Enter' && add.length > 0 && apply()}
          />
        )}
      </Field>
      <RemovedTags tiles={tiles} removed={removed} onChange={setRemoved} />
    </Dialog>
  );
}

interface RemovedTagsProps {
  readonly tiles: readonly Tile[];
  readonly removed: ReadonlySet<string>;
  readonly onChange: (removed: ReadonlySet<string>) => void;
}

/** Tags of the images, most frequent first, to choose those to remove. */
function RemovedTags({ tiles, removed, onChange }: RemovedTagsProps) {
  const counts = new Map<string, number>();
  for (const tag of tiles.flatMap(({ tags }) => tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  const toggle = (tag: string) => {
    const next = new Set(removed);
    if (!next.delete(tag)) next.add(tag);
    onChange(next);
  };
  return (
    <fieldset className={styles.removed}>
      <legend>{text.removeTags}</legend>
      <p className={styles.hint}>{counts.size === 0 ? text.noTags : text.removeTagsHint}</p>
      <div className={styles.tags}>
        {[...counts]
          .sort(([, a], [, b]) => b - a)
          .map(([tag, count]) => (
            <label key={tag} className={styles.tag}>
              <input type="checkbox" checked={removed.has(tag)} onChange={() => toggle(tag)} />
              {tag} <span className={styles.hint}>{formatCount(count)}</span>
            </label>
          ))}
      </div>
    </fieldset>
  );
}
