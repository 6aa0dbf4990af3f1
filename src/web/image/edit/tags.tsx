import { type FormEvent, useId, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { useMay } from '../../client/session.tsx';
import { Button } from '../../design/button.tsx';
import { Icon } from '../../design/icon.tsx';
import { showToast } from '../../design/toast.tsx';
import { type ImageDetailsFragment, TagSuggestionsDocument } from '../../generated/graphql.ts';
import { galleryPath } from '../../state/filter.ts';
import { useKeys } from '../../state/keys.ts';
import { keys } from '../../text/image.ts';
import { edit } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import styles from './tags.module.css';
import { useUpdate } from './use-update.ts';

interface TagsProps {
  readonly image: ImageDetailsFragment;
}

/** The tags of an image, editable in place. */
export function Tags({ image }: TagsProps) {
  const mayEdit = useMay('IMAGES_WRITE') && !image.deletedAt;
  const { update } = useUpdate(image);
  const remove = async (tag: string) => {
    const fault = await update({ removeTags: [tag] }, edit.tagRemoved(tag));
    if (fault !== null) showToast(fault, { tone: 'bad' });
  };
  return (
    <Section title={edit.tags}>
      {image.tags.length === 0 ? (
        mayEdit ? null : (
          <p className={styles.none}>{edit.noTags}</p>
        )
      ) : (
        <ul className={styles.list}>
          {image.tags.map((tag) => (
            <li key={tag} className={styles.tag}>
              <Link href={galleryPath({ tags: [tag] })}>{tag}</Link>
              {mayEdit ? (
                <button
                  type="button"
                  className={styles.remove}
                  aria-label={edit.removeTag(tag)}
                  title={edit.removeTag(tag)}
                  onClick={() => remove(tag)}
                >
                  <Icon name="close" size={14} />
                </button>
              ) : null}
            </li>
          ))}
        </ul>
      )}
      {mayEdit ? <AddTag key={image.id} image={image} /> : null}
    </Section>
  );
}

const MAX_TAG_LENGTH = 100;
const MAX_TAGS = 50;

/** Returns the tags that commas part in a text, without those that the image has. */
const newTags = (text: string, present: readonly string[]) =>
  [...new Set(text.split(',').map((tag) => tag.trim()))].filter(
    (tag) => tag !== '' && !present.includes(tag),
  );

/** Returns why tags cannot be added to an image with `count` tags; null: they can. */
function refusalOf(tags: readonly string[], count: number): string | null {
  if (tags.some((tag) => tag.length > MAX_TAG_LENGTH)) return edit.tagTooLong;
  return count + tags.length > MAX_TAGS ? edit.tooManyTags : null;
}

function AddTag({ image }: TagsProps) {
  const { isBusy, update } = useUpdate(image);
  const [value, setValue] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const [isUsed, setUsed] = useState(false);
  const suggestions = useSuggestions(image, isUsed);
  const id = useId();
  useKeys([{ key: 't', label: keys.tags, run: () => input.current?.focus() }]);
  const add = async (event: FormEvent) => {
    event.preventDefault();
    if (isBusy) return;
    const tags = newTags(value, image.tags);
    if (tags.length === 0) return setValue('');
    const reason =
      refusalOf(tags, image.tags.length) ?? (await update({ addTags: tags }, edit.tagsAdded(tags)));
    setFault(reason);
    if (reason === null) setValue('');
  };
  return (
    <form className={styles.form} onSubmit={add}>
      <input
        ref={input}
        className={styles.input}
        value={value}
        onChange={({ target }) => setValue(target.value)}
        placeholder={edit.addTag}
        aria-label={edit.addTag}
        aria-invalid={fault === null ? undefined : true}
        aria-describedby={fault === null ? undefined : `${id}-fault`}
        autoComplete="off"
        list={`${id}-list`}
        onFocus={() => setUsed(true)}
        enterKeyHint="done"
        onKeyDown={(event) => event.key === 'Escape' && input.current?.blur()}
      />
      <datalist id={`${id}-list`}>
        {suggestions.map((tag) => (
          <option key={tag} value={tag} />
        ))}
      </datalist>
      <Button type="submit" icon="plus" busy={isBusy}>
        {edit.add}
      </Button>
      {fault === null ? null : (
        <p id={`${id}-fault`} className={styles.fault} role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}

/** Returns the tags that are used most and that the image does not have. They are read when `isUsed`. */
function useSuggestions(image: ImageDetailsFragment, isUsed: boolean): readonly string[] {
  const [{ data }] = useQuery({ query: TagSuggestionsDocument, pause: !isUsed });
  return (data?.imageFacets.tags ?? []).map(({ value }) => value).filter((tag) => !image.tags.includes(tag));
}
