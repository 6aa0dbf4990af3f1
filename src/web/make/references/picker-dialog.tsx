import { useDeferredValue, useState } from 'react';
import { useQuery } from 'urql';
import { messageOf } from '../../client/errors.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field } from '../../design/field.tsx';
import { Icon } from '../../design/icon.tsx';
import { Picture } from '../../design/picture.tsx';
import { PickImagesDocument, type SourceImageFragment } from '../../generated/graphql.ts';
import { make as text } from '../../text/make.ts';
import { text as shared } from '../../text/shared.ts';
import styles from '../make.module.css';

interface PickerProps {
  readonly open: boolean;
  readonly onClose: () => void;
  /** uuids of the images that are chosen already. */
  readonly chosen: readonly string[];
  readonly isFull: boolean;
  readonly onPick: (image: SourceImageFragment) => void;
}

/** Chooses images of the gallery, which a search narrows. */
export function PickerDialog({ open, onClose, ...rest }: PickerProps) {
  const [words, setWords] = useState('');
  const search = useDeferredValue(words.trim());
  return (
    <Dialog
      title={text.pick}
      open={open}
      onClose={onClose}
      actions={
        <Button kind="primary" onClick={onClose}>
          {text.done}
        </Button>
      }
    >
      <Field label={text.pickSearch}>
        {(control) => (
          <input {...control} type="search" value={words} onChange={({ target }) => setWords(target.value)} />
        )}
      </Field>
      <div className={styles.picks}>
        <Pages search={search} {...rest} />
      </div>
    </Dialog>
  );
}

type PagesProps = Omit<PickerProps, 'open' | 'onClose'> & { readonly search: string };

/** The pages of images that were asked for. */
function Pages({ search, ...rest }: PagesProps) {
  const [{ of, cursors }, setPages] = useState({ of: search, cursors: [null] as readonly (string | null)[] });
  const shown = of === search ? cursors : [null];
  return shown.map((after) => (
    <PickPage
      key={`${search} ${after}`}
      search={search}
      after={after}
      isLast={after === shown.at(-1)}
      onMore={(cursor) => setPages({ of: search, cursors: [...shown, cursor] })}
      {...rest}
    />
  ));
}

interface PickPageProps extends PagesProps {
  readonly after: string | null;
  readonly isLast: boolean;
  readonly onMore: (cursor: string) => void;
}

function PickPage({ search, after, isLast, onMore, chosen, isFull, onPick }: PickPageProps) {
  const filter = { status: ['SUCCESS' as const], ...(search === '' ? {} : { search }) };
  const [{ data, error }] = useQuery({ query: PickImagesDocument, variables: { filter, after } });
  if (error) return <p role="alert">{messageOf(error)}</p>;
  if (!data) return <p className={styles.soft}>{shared.loading}</p>;
  const { nodes, pageInfo } = data.images;
  return (
    <>
      {nodes.map((image) => {
        const isChosen = chosen.includes(image.uuid);
        return (
          <button
            key={image.uuid}
            type="button"
            className={styles.pick}
            aria-pressed={isChosen}
            aria-label={image.prompt || image.uuid}
            disabled={isFull && !isChosen}
            onClick={() => onPick(image)}
          >
            <Picture image={image} sizes="8rem" alt="" />
            {isChosen ? <Icon name="check" /> : null}
          </button>
        );
      })}
      {nodes.length === 0 && after === null ? <p className={styles.soft}>{text.pickNone}</p> : null}
      {isLast && pageInfo.hasNextPage ? (
        <Button className={styles.pickMore} onClick={() => onMore(pageInfo.endCursor ?? '')}>
          {text.pickMore}
        </Button>
      ) : null}
    </>
  );
}
