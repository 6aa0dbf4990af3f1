import { useQuery } from 'urql';
import { useMay } from '../../client/session.tsx';
import { Button } from '../../design/button.tsx';
import { formatList } from '../../design/format.ts';
import { type ImageDetailsFragment, StoreNamesDocument } from '../../generated/graphql.ts';
import { useKeys } from '../../state/keys.ts';
import { durabilityHint, keys } from '../../text/image.ts';
import { copies as text } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import styles from './copies.module.css';
import { AbsentCopyRow, CopyRow } from './copy-row.tsx';
import { type RestoreResult, useRestore } from './use-restore.ts';

/** The copies of the bytes in each store, and the way to restore them. */
export function Copies({ image }: { readonly image: ImageDetailsFragment }) {
  const restore = useRestore(image);
  const mayRestore = useMay('IMAGES_WRITE') && image.sha256 !== null && image.sha256 !== undefined;
  const absent = useStoresWithoutCopy(image);
  useKeys(mayRestore ? [{ key: 'r', label: keys.restore, run: () => void restore.start() }] : []);
  const button = mayRestore ? (
    <Button icon="restore" busy={restore.running !== null} onClick={() => restore.start()}>
      {text.restoreAll}
    </Button>
  ) : null;
  const row = (store: string) => ({
    isRunning: restore.running === 'all' || restore.running === store,
    fault: restore.result?.faults.get(store),
    isRestored: restore.result?.restored.includes(store) ?? false,
    onRestore: mayRestore ? () => restore.start(store) : undefined,
  });
  return (
    <Section title={text.title} actions={button}>
      {image.durability ? <p className={styles.soft}>{durabilityHint[image.durability]}</p> : null}
      {image.sha256 ? null : <p className={styles.soft}>{text.none}</p>}
      <ul className={styles.list}>
        {image.copies.map((copy) => (
          <CopyRow key={copy.id} copy={copy} {...row(copy.store)} />
        ))}
        {absent.map((store) => (
          <AbsentCopyRow key={store} store={store} {...row(store)} />
        ))}
      </ul>
      <p className={styles.result} role="status">
        {restore.running ? text.checking : restore.result ? <Result result={restore.result} /> : null}
      </p>
    </Section>
  );
}

function Result({ result: { fault, faults, restored, source, only } }: { readonly result: RestoreResult }) {
  if (fault !== null) return <span className={styles.bad}>{fault}</span>;
  return (
    <>
      {restored.length > 0 ? text.restored(formatList(restored), source ?? '?') : null}{' '}
      {faults.size > 0 ? (
        <span className={styles.bad}>{text.failed(formatList([...faults.keys()]))}</span>
      ) : restored.length > 0 ? null : only === null ? (
        text.allHealthy
      ) : (
        text.oneHealthy(only)
      )}
    </>
  );
}

/** Returns the names of the configured stores that have no copy on record. */
function useStoresWithoutCopy(image: ImageDetailsFragment): readonly string[] {
  const maySee = useMay('STORES_READ');
  const [{ data }] = useQuery({ query: StoreNamesDocument, pause: !maySee || !image.sha256 });
  if (!image.sha256) return [];
  const known = new Set(image.copies.map(({ store }) => store));
  return (data?.stores ?? []).map(({ name }) => name).filter((name) => !known.has(name));
}
