import { useState } from 'react';
import { useClient } from 'urql';
import { Link } from 'wouter';
import { faultOf } from '../../client/errors.ts';
import { Button, buttonClass } from '../../design/button.tsx';
import { formatCount, formatTime } from '../../design/format.ts';
import { Icon } from '../../design/icon.tsx';
import { Badge, type Tone } from '../../design/notice.tsx';
import { Picture } from '../../design/picture.tsx';
import { showToast } from '../../design/toast.tsx';
import { CancelMadeDocument, type MadeImageFragment, RetryMadeDocument } from '../../generated/graphql.ts';
import { useNow } from '../../state/now.ts';
import { make as text } from '../../text/make.ts';
import styles from '../make.module.css';
import { sidesOf } from '../offers.ts';
import { isOpen, progressOf, updateMade } from './made.ts';

const TONES: Readonly<Record<MadeImageFragment['status'], Tone>> = {
  PENDING: 'neutral',
  PROCESSING: 'warn',
  SUCCESS: 'good',
  FAILED: 'bad',
};

/** One image: its picture, or how far it is, or why it failed. */
export function MadeCard({ image }: { readonly image: MadeImageFragment }) {
  return (
    <article className={styles.card}>
      <div className={styles.frame} style={{ aspectRatio: ratioOf(image) }}>
        <Content image={image} />
      </div>
      <div className={styles.cardFoot}>
        <p className={styles.cardPrompt} title={image.prompt}>
          {image.prompt || nameOf(image)}
        </p>
        {image.status === 'SUCCESS' && !image.kept ? <p className={styles.soft}>{text.notKept}</p> : null}
        <div className={styles.cardLine}>
          <Badge tone={TONES[image.status]}>{text.states[image.status]}</Badge>
          <CardActions image={image} />
        </div>
      </div>
    </article>
  );
}

/** Returns the name of an image without a prompt. */
const nameOf = ({ tool }: MadeImageFragment) => text.tools[tool] ?? tool;

/** Returns the shape of the card: that of the picture, or of the requested size. */
function ratioOf({ width, height, size }: MadeImageFragment): string {
  const sides = width && height ? { width, height } : sidesOf(size ?? '');
  return sides ? `${sides.width} / ${sides.height}` : '1';
}

function Content({ image }: { readonly image: MadeImageFragment }) {
  if (isOpen(image)) return <Waiting image={image} />;
  if (image.status === 'FAILED')
    return (
      <div className={styles.failed} role="note">
        <Icon name="warning" size={24} />
        <p>{image.error?.message}</p>
        <p className={styles.code}>{image.error?.code}</p>
      </div>
    );
  const picture = (
    <Picture image={image} sizes="(max-width: 40rem) 92vw, 20rem" alt={image.prompt || nameOf(image)} eager />
  );
  return image.kept ? <Link href={`/image/${image.uuid}`}>{picture}</Link> : picture;
}

function Waiting({ image }: { readonly image: MadeImageFragment }) {
  const now = useNow(true);
  const { attempt, since, retryAt, problem, scheduledFor } = progressOf(image, now);
  return (
    <div className={[styles.waiting, image.status === 'PROCESSING' ? styles.working : ''].join(' ')}>
      <Icon name="make" size={28} />
      <p>
        {scheduledFor === null
          ? `${text.states[image.status]} ${text.since(duration(now - since))}`
          : text.scheduled(formatTime(new Date(scheduledFor).toISOString()))}
      </p>
      {attempt > 1 ? <p>{text.attempt(formatCount(attempt))}</p> : null}
      {problem ? <p className={styles.problem}>{problem}</p> : null}
      {retryAt === null ? null : <p>{text.retryIn(duration(retryAt - now))}</p>}
    </div>
  );
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return seconds < 90
    ? text.seconds(formatCount(seconds))
    : text.minutes(formatCount(Math.round(seconds / 60)));
}

function CardActions({ image }: { readonly image: MadeImageFragment }) {
  const client = useClient();
  const [isBusy, setBusy] = useState(false);
  const change = async (document: typeof CancelMadeDocument | typeof RetryMadeDocument) => {
    setBusy(true);
    const result = await client.mutation(document, { id: image.uuid }).toPromise();
    setBusy(false);
    const fault = faultOf(result);
    if (fault !== null) showToast(fault, { tone: 'bad' });
    const [payload] = Object.values(result.data ?? {}).filter((value) => typeof value === 'object');
    if (payload?.image) updateMade([payload.image]);
  };
  if (isOpen(image))
    return (
      <Button busy={isBusy} icon="stop" onClick={() => void change(CancelMadeDocument)}>
        {text.cancel}
      </Button>
    );
  if (!image.kept && image.status === 'SUCCESS')
    return (
      <a className={buttonClass('plain')} href={image.url ?? ''} download={`${image.tool}-${image.uuid}`}>
        <Icon name="download" />
        {text.saveFile}
      </a>
    );
  if (image.status === 'FAILED')
    return (
      <Button busy={isBusy} icon="restore" onClick={() => void change(RetryMadeDocument)}>
        {text.retry}
      </Button>
    );
  return (
    <span className={styles.cardButtons}>
      <Link className={buttonClass('quiet')} href={`/make?edit=${image.uuid}`}>
        {text.editThis}
      </Link>
      <Link className={buttonClass('plain')} href={`/image/${image.uuid}`}>
        {text.open}
      </Link>
    </span>
  );
}
