import { useMutation, useQuery } from 'urql';
import { Link } from 'wouter';
import { faultOf, messageOf } from '../client/errors.ts';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { formatBytes, formatCount } from '../design/format.ts';
import { ErrorNotice } from '../design/notice.tsx';
import { Picture } from '../design/picture.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { titleOf } from '../design/title.ts';
import { showToast } from '../design/toast.tsx';
import {
  RetentionPreviewDocument,
  type RetentionPreviewQuery,
  RunRetentionDocument,
} from '../generated/graphql.ts';
import { retention as text } from '../text/retention.ts';
import { text as shared } from '../text/shared.ts';
import styles from './retention.module.css';

/** Images that the dialog shows. */
const SHOWN = 24;

type Preview = RetentionPreviewQuery['previewRetention'];

interface PreviewDialogProps {
  /** Name of the policy; null: the dialog is closed. */
  readonly name: string | null;
  readonly onClose: () => void;
  readonly onStarted: () => void;
}

/** Shows what a policy would put into the trash, and starts a run of it. */
export function PreviewDialog({ name, onClose, onStarted }: PreviewDialogProps) {
  const [{ data, error, fetching }, read] = useQuery({
    query: RetentionPreviewDocument,
    variables: { name: name ?? '', first: SHOWN },
    pause: name === null,
    requestPolicy: 'network-only',
  });
  const [{ fetching: starts }, start] = useMutation(RunRetentionDocument);
  const preview = fetching ? undefined : data?.previewRetention;
  const isStopped = typeof preview?.stop === 'string';
  const submit = async () => {
    const fault = faultOf(await start({ input: { name, ...(isStopped ? { maxShare: 1 } : {}) } }));
    if (fault !== null) return showToast(fault, { tone: 'bad' });
    showToast(text.started);
    onStarted();
    onClose();
  };
  return (
    <Dialog
      title={text.previewTitle(name ?? '')}
      open={name !== null}
      onClose={onClose}
      isWide
      actions={
        <>
          <Button onClick={onClose}>{shared.close}</Button>
          {preview && preview.images > 0 ? (
            <Button kind={isStopped ? 'danger' : 'primary'} icon="trash" busy={starts} onClick={submit}>
              {isStopped ? text.runAnyway : text.run}
            </Button>
          ) : null}
        </>
      }
    >
      {error ? <ErrorNotice message={messageOf(error)} onRetry={() => read()} /> : null}
      {preview ? <Shown preview={preview} /> : error ? null : <Skeleton lines={6} />}
    </Dialog>
  );
}

const Shown = ({ preview }: { readonly preview: Preview }) =>
  preview.images === 0 ? (
    <p>{text.nothing}</p>
  ) : (
    <>
      <p>
        {text.wouldGo(
          formatCount(preview.images),
          formatCount(preview.scopeImages),
          formatBytes(preview.bytes),
        )}{' '}
        {preview.freedBytes === null ? null : text.freed(formatBytes(preview.freedBytes))}
      </p>
      {preview.stop === null ? null : (
        <p className={styles.fault} role="alert">
          {preview.stop}
        </p>
      )}
      <ul className={styles.reasons}>
        {preview.reasons.map(({ reason, description, images }) => (
          <li key={reason}>{text.runReason(formatCount(images), description)}</li>
        ))}
      </ul>
      <h3>{text.first(formatCount(preview.sample.length))}</h3>
      <ul className={styles.sample}>
        {preview.sample.map((each, place) => (
          <SampleImage key={each.image?.id ?? place} sample={each} />
        ))}
      </ul>
    </>
  );

function SampleImage({ sample: { image, description } }: { readonly sample: Preview['sample'][number] }) {
  return (
    <li>
      {image ? (
        <Link href={`/image/${image.uuid}`} className={styles.thumb} aria-label={titleOf(image)}>
          {image.url ? <Picture image={image} sizes="120px" alt="" /> : null}
        </Link>
      ) : (
        <span className={styles.thumb}>{text.gone}</span>
      )}
      <span className={styles.note}>{description}</span>
    </li>
  );
}
