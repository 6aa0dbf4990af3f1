import type { ReactNode } from 'react';
import { useSession } from '../../client/session.tsx';
import { Button } from '../../design/button.tsx';
import { formatAgo, formatDay, formatTime } from '../../design/format.ts';
import { Icon, type IconName } from '../../design/icon.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { actions, stage } from '../../text/image.ts';
import { useImageActions } from '../edit/use-actions.ts';
import styles from './absent.module.css';

type Absence = 'pending' | 'processing' | 'failed' | 'trash' | 'lost' | 'notKept';

/** Returns why there is no picture to show; null: there is one. */
export function absenceOf(image: ImageDetailsFragment): Absence | null {
  if (image.deletedAt) return 'trash';
  if (image.status === 'PENDING') return 'pending';
  if (image.status === 'PROCESSING') return 'processing';
  if (image.status === 'FAILED') return 'failed';
  if (image.durability === 'LOST') return 'lost';
  return image.kept && image.url ? null : 'notKept';
}

interface AbsentProps {
  readonly image: ImageDetailsFragment;
}

/** A card in place of the picture: why it is not there, and what can be done. */
export function Absent({ image }: AbsentProps) {
  switch (absenceOf(image)) {
    case 'pending':
      return <Pending image={image} />;
    case 'processing':
      return <Processing image={image} />;
    case 'failed':
      return <Failed image={image} />;
    case 'trash':
      return <Trashed image={image} />;
    case 'lost':
      return <Lost image={image} />;
    default:
      return (
        <Card icon="info" title={stage.notKept}>
          <p>{stage.notKeptHint}</p>
        </Card>
      );
  }
}

interface CardProps {
  readonly icon: IconName;
  readonly title: string;
  readonly isRunning?: boolean;
  readonly children: ReactNode;
}

const Card = ({ icon, title, isRunning = false, children }: CardProps) => (
  <div className={styles.card} role="status">
    {isRunning ? <span className={styles.spinner} aria-hidden="true" /> : <Icon name={icon} size={32} />}
    <p className={styles.title}>{title}</p>
    {children}
  </div>
);

function Pending({ image }: AbsentProps) {
  const retryAt = image.attempts.at(-1)?.retryAt;
  return (
    <Card icon="calendar" title={stage.pending} isRunning={!image.scheduledFor && !retryAt}>
      {retryAt ? (
        <p>{stage.retries(formatAgo(retryAt))}</p>
      ) : image.scheduledFor ? (
        <p>{stage.scheduled(formatTime(image.scheduledFor))}</p>
      ) : (
        <p>{stage.processingHint}</p>
      )}
      <CancelButton image={image} />
    </Card>
  );
}

const Processing = ({ image }: AbsentProps) => (
  <Card icon="make" title={stage.processing} isRunning>
    <p>{stage.processingHint}</p>
    <CancelButton image={image} />
  </Card>
);

function CancelButton({ image }: AbsentProps) {
  const { mayGenerate, isBusy, cancel } = useImageActions(image);
  return mayGenerate ? (
    <Button icon="stop" busy={isBusy} onClick={cancel}>
      {actions.cancel}
    </Button>
  ) : null;
}

function Failed({ image }: AbsentProps) {
  const { mayGenerate, isBusy, regenerate } = useImageActions(image);
  return (
    <Card icon="warning" title={stage.failed}>
      {image.error ? (
        <>
          <p className={styles.reason}>{image.error.message}</p>
          <p className={styles.soft}>
            <code>{image.error.code}</code> · {image.error.retryable ? stage.mayRetry : stage.mayNotRetry}
          </p>
        </>
      ) : null}
      {mayGenerate && image.origin === 'GENERATED' ? (
        <Button kind="primary" icon="restore" busy={isBusy} onClick={regenerate}>
          {actions.retry}
        </Button>
      ) : null}
    </Card>
  );
}

function Lost({ image }: AbsentProps) {
  const { mayGenerate, isBusy, regenerate } = useImageActions(image);
  const isGenerated = image.origin === 'GENERATED';
  return (
    <Card icon="warning" title={stage.lost}>
      <p>{stage.lostHint}</p>
      {mayGenerate && isGenerated ? (
        <>
          <p>{stage.lostAgain}</p>
          <Button icon="make" busy={isBusy} onClick={regenerate}>
            {actions.generateAgain}
          </Button>
        </>
      ) : null}
    </Card>
  );
}

const DAY_MS = 86_400_000;

function Trashed({ image }: AbsentProps) {
  const { mayWrite, isBusy, undelete } = useImageActions(image);
  const { trashDays } = useSession().server;
  const end = new Date(new Date(image.deletedAt ?? 0).getTime() + trashDays * DAY_MS);
  return (
    <Card icon="trash" title={stage.trash}>
      <p>{stage.trashHint(formatDay(end.toISOString()))}</p>
      {mayWrite ? (
        <Button icon="restore" busy={isBusy} onClick={undelete}>
          {actions.undelete}
        </Button>
      ) : null}
    </Card>
  );
}
