import { useState } from 'react';
import { Link } from 'wouter';
import { buttonClass, IconButton } from '../../design/button.tsx';
import { copyAndSay } from '../../design/copy-button.tsx';
import { formatAgo, formatTime } from '../../design/format.ts';
import { Icon } from '../../design/icon.tsx';
import { Menu, MenuItem, MenuLine } from '../../design/menu.tsx';
import { Badge, type Tone } from '../../design/notice.tsx';
import { spoken } from '../../design/spoken.tsx';
import { titleOf } from '../../design/title.ts';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { actions, copied, durability, durabilityHint, page, stage, status } from '../../text/image.ts';
import { edit } from '../../text/image-details.ts';
import { PurgeDialog } from '../edit/purge-dialog.tsx';
import { useImageActions } from '../edit/use-actions.ts';
import styles from './head.module.css';
import { toJson } from './json.ts';

interface HeadProps {
  readonly image: ImageDetailsFragment;
}

/** Title and state of the image, and what can be done with it. */
export function Head({ image }: HeadProps) {
  return (
    <header className={styles.head}>
      <h1 className={spoken}>{titleOf(image)}</h1>
      <Badges image={image} />
      <p className={styles.byline}>
        {image.username ?? image.userId} ·{' '}
        <time dateTime={image.createdAt} title={formatTime(image.createdAt)}>
          {formatAgo(image.createdAt)}
        </time>
      </p>
      <div className={styles.tools}>
        <Tools image={image} />
      </div>
      <Makers image={image} />
    </header>
  );
}

const DURABILITY_TONES = { DURABLE: 'good', DEGRADED: 'warn', AT_RISK: 'bad', LOST: 'bad' } as const;

function Badges({ image }: HeadProps) {
  const tone: Tone = image.status === 'FAILED' ? 'bad' : 'neutral';
  return (
    <p className={styles.badges}>
      {image.deletedAt ? <Badge tone="warn">{stage.trash}</Badge> : null}
      {image.status === 'SUCCESS' ? null : <Badge tone={tone}>{status[image.status]}</Badge>}
      {image.durability ? (
        <span title={durabilityHint[image.durability]}>
          <Badge tone={DURABILITY_TONES[image.durability]}>{durability[image.durability]}</Badge>
        </span>
      ) : null}
      {image.pinned ? (
        <Badge>
          <Icon name="pin" size={12} />
          {edit.pinned}
        </Badge>
      ) : null}
      {image.visibility === 'PRIVATE' ? (
        <Badge>
          <Icon name="lock" size={12} />
          {edit.private}
        </Badge>
      ) : null}
    </p>
  );
}

function Makers({ image }: HeadProps) {
  const { mayGenerate } = useImageActions(image);
  if (!mayGenerate) return null;
  return (
    <div className={styles.makers}>
      <Link className={buttonClass('primary')} href={`/make?from=${image.uuid}`}>
        <Icon name="make" />
        {actions.makeAgain}
      </Link>
      {image.url ? (
        <Link className={buttonClass()} href={`/make?edit=${image.uuid}`}>
          <Icon name="brush" />
          {actions.editFrom}
        </Link>
      ) : null}
    </div>
  );
}

function Tools({ image }: HeadProps) {
  const { mayWrite, remove, undelete } = useImageActions(image);
  const [isPurging, setPurging] = useState(false);
  const isRunning = image.status === 'PENDING' || image.status === 'PROCESSING';
  return (
    <>
      {image.url ? (
        <a
          className={buttonClass('plain', styles.square)}
          href={image.url}
          download={image.originalFilename ?? image.filename ?? ''}
          aria-label={actions.download}
          title={actions.download}
        >
          <Icon name="download" />
        </a>
      ) : null}
      {mayWrite && !image.deletedAt ? (
        <IconButton kind="plain" icon="trash" label={actions.remove} onClick={remove} />
      ) : null}
      <Menu trigger={<IconButton kind="plain" icon="more" label={page.more} />}>
        {image.prompt === '' ? null : (
          <MenuItem icon="copy" onSelect={() => copyAndSay(image.prompt, copied.prompt)}>
            {actions.copyPrompt}
          </MenuItem>
        )}
        <MenuItem icon="copy" onSelect={() => copyAndSay(toJson(image), copied.json)}>
          {actions.copyJson}
        </MenuItem>
        {mayWrite ? <MenuLine /> : null}
        {mayWrite && image.deletedAt ? (
          <MenuItem icon="restore" onSelect={undelete}>
            {actions.undelete}
          </MenuItem>
        ) : null}
        {mayWrite && !isRunning ? (
          <MenuItem icon="trash" onSelect={() => setPurging(true)}>
            {actions.purge}
          </MenuItem>
        ) : null}
      </Menu>
      <PurgeDialog image={image} open={isPurging} onClose={() => setPurging(false)} />
    </>
  );
}
