import { memo } from 'react';
import { addressOf } from '../client/address.ts';
import { Icon, type IconName } from '../design/icon.tsx';
import { Badge, type Tone } from '../design/notice.tsx';
import { Picture } from '../design/picture.tsx';
import { titleOf } from '../design/title.ts';
import { placeholderOf } from '../robust-image/thumbhash.ts';
import { IMAGE_TYPE } from '../state/image-drag.ts';
import { grid as text } from '../text/gallery.ts';
import type { Tile } from './list/list.ts';
import styles from './tile.module.css';

interface TileViewProps {
  readonly tile: Tile;
  readonly width: number;
  readonly height: number;
  readonly isSelected: boolean;
  /** Whether the filter no longer finds it. */
  readonly isStale: boolean;
  /** Whether the Tab key reaches it. */
  readonly isCurrent: boolean;
  /** Days until it is purged from the trash; null: it is not there. */
  readonly daysLeft: number | null;
  readonly mayRetry: boolean;
}

/** Most characters of a name. */
const MAX_NAME = 140;

/** Role of a tile. The link inside has the focus. */
const cell = (isSelected: boolean) => ({ role: 'gridcell', 'aria-selected': isSelected });

/** One image of the grid. The grid handles its clicks and keys, so that tiles are cheap. */
export const TileView = memo(function TileView(props: TileViewProps) {
  const { tile, width, height, isSelected, isStale, isCurrent } = props;
  const title = titleOf(tile, MAX_NAME);
  const classes = [styles.tile, isSelected && styles.selected, isStale && styles.stale];
  return (
    <div
      {...cell(isSelected)}
      className={classes.filter(Boolean).join(' ')}
      style={{ width, height }}
      data-id={tile.id}
    >
      <a
        className={styles.link}
        href={addressOf(`image/${tile.uuid}`)}
        tabIndex={isCurrent ? 0 : -1}
        onDragStart={({ dataTransfer }) => dataTransfer.setData(IMAGE_TYPE, tile.uuid)}
        aria-label={[title, ...marksOf(props).map(({ label }) => label)].join(', ')}
      >
        <Content tile={tile} width={width} />
      </a>
      <button
        type="button"
        className={styles.check}
        data-action="toggle"
        tabIndex={-1}
        aria-label={text.select(title)}
        aria-pressed={isSelected}
      >
        <Icon name="check" size={16} />
      </button>
      <Marks {...props} />
      {tile.status === 'FAILED' && tile.deletedAt === null && props.mayRetry && !isSelected ? (
        <Retry />
      ) : null}
    </div>
  );
});

function Content({ tile, width }: { readonly tile: Tile; readonly width: number }) {
  if (tile.status === 'PENDING' || tile.status === 'PROCESSING') return <span className={styles.shimmer} />;
  if (tile.status === 'FAILED')
    return (
      <span className={styles.failed}>
        <Icon name="warning" size={20} />
        <span>{tile.error?.message ?? text.failed}</span>
      </span>
    );
  if (!tile.url) return <Blurred thumbhash={tile.thumbhash} />;
  return <Picture image={tile} sizes={`${width}px`} alt="" className={styles.picture as string} />;
}

/** The blurred placeholder of an image that has no address, such as one in the trash. */
function Blurred({ thumbhash }: { readonly thumbhash: string | null }) {
  const url = thumbhash ? placeholderOf(thumbhash) : null;
  return url ? <img className={styles.picture} src={url} alt="" /> : null;
}

interface Mark {
  readonly icon: IconName;
  readonly label: string;
  readonly tone: Tone;
}

/** Returns what a person must know of an image beside its picture. */
function marksOf({ tile, isStale, daysLeft }: TileViewProps): Mark[] {
  const { status, durability, visibility, pinned, deletedAt } = tile;
  const found: (Mark | false)[] = [
    status === 'PENDING' && { icon: 'make', label: text.pending, tone: 'neutral' },
    status === 'PROCESSING' && { icon: 'make', label: text.processing, tone: 'neutral' },
    status === 'FAILED' && { icon: 'warning', label: text.failed, tone: 'bad' },
    durability === 'DEGRADED' && { icon: 'stores', label: text.degraded, tone: 'warn' },
    durability === 'AT_RISK' && { icon: 'warning', label: text.atRisk, tone: 'warn' },
    durability === 'LOST' && { icon: 'warning', label: text.lost, tone: 'bad' },
    visibility === 'PRIVATE' && { icon: 'lock', label: text.private, tone: 'neutral' },
    pinned && { icon: 'pin', label: text.pinned, tone: 'neutral' },
    deletedAt !== null && {
      icon: 'trash',
      label: daysLeft === null ? text.inTrash : text.daysLeft(daysLeft),
      tone: daysLeft !== null && daysLeft <= 1 ? 'bad' : 'neutral',
    },
    isStale && deletedAt === null && { icon: 'filter', label: text.stale, tone: 'neutral' },
  ];
  return found.filter((mark) => mark !== false);
}

/** Marks over the picture. Screen readers get them with the name of the link. */
function Marks(props: TileViewProps) {
  // The content of a failed image says that it failed.
  const marks = marksOf(props).filter(({ label }) => label !== text.failed);
  if (marks.length === 0) return null;
  return (
    <span className={styles.marks} aria-hidden="true">
      {marks.map(({ icon, label, tone }) => (
        <Badge key={label} tone={tone}>
          <Icon name={icon} size={12} />
          {icon === 'lock' || icon === 'pin' ? null : label}
        </Badge>
      ))}
    </span>
  );
}

const Retry = () => (
  <button type="button" className={styles.retry} data-action="retry" tabIndex={-1}>
    {text.retry}
  </button>
);
