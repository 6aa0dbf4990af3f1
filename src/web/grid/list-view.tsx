import { type ReactNode, useCallback, useEffect, useMemo, useRef } from 'react';
import { useClient } from 'urql';
import { Button } from '../design/button.tsx';
import { Icon } from '../design/icon.tsx';
import { ErrorNotice } from '../design/notice.tsx';
import { spoken } from '../design/spoken.tsx';
import { showToast } from '../design/toast.tsx';
import { useSignal } from '../state/signal.ts';
import { grid as text } from '../text/gallery.ts';
import { text as common } from '../text/shared.ts';
import { type Actions, makeActions, runBulk } from './bulk/actions.ts';
import { BulkBar } from './bulk/bulk-bar.tsx';
import { BulkStatus } from './bulk/bulk-status.tsx';
import { Grid } from './grid.tsx';
import type { ImageList, Tile } from './list/list.ts';
import styles from './list-view.module.css';

interface ListViewProps {
  /** Address that the place is kept for. */
  readonly address: string;
  readonly list: ImageList;
  readonly isTrash: boolean;
  /** Bar that stays at the top of the screen. The actions on the selection take its place. */
  readonly toolbar: ReactNode;
  /** Content between the toolbar and the images, which scrolls with them. */
  readonly head?: ReactNode;
  /** Content when the list has no images. */
  readonly empty: ReactNode;
  readonly onFirst?: ((tile: Tile) => void) | undefined;
}

/** A list of images with its toolbar, selection, progress, and states. */
export function ListView({ address, list, isTrash, toolbar, head, empty, onFirst }: ListViewProps) {
  const client = useClient();
  const actions = useMemo(() => makeActions(client, list), [client, list]);
  const current = useRef<string>(undefined);
  const targets = useCallback(() => {
    const ids = [...list.selection.get().ids];
    const isInGrid = document.activeElement?.closest('[role="grid"]') !== null;
    const one = isInGrid && current.current ? [current.current] : [];
    return (ids.length > 0 ? ids : one).flatMap((id) => list.tileOf(id) ?? []);
  }, [list]);
  return (
    <>
      <div className={styles.sticky}>
        <ToolbarPlace list={list}>{toolbar}</ToolbarPlace>
        <BulkBar list={list} actions={actions} isTrash={isTrash} targets={targets} />
      </div>
      {head}
      <Arrivals list={list} />
      <Images
        key={address}
        {...{ address, list, actions, empty, onFirst }}
        onCurrent={(id) => (current.current = id)}
      />
      <BulkStatus />
    </>
  );
}

/** The place of the toolbar. The actions on a selection cover it, so nothing in it has the focus then. */
function ToolbarPlace({ list, children }: { readonly list: ImageList; readonly children: ReactNode }) {
  const { ids } = useSignal(list.selection);
  return (
    <div className={styles.toolbar} inert={ids.size > 0}>
      {children}
    </div>
  );
}

interface ImagesProps extends Pick<ListViewProps, 'address' | 'list' | 'empty' | 'onFirst'> {
  readonly actions: Actions;
  readonly onCurrent: (id: string) => void;
}

function Images({ address, list, actions, empty, onCurrent, onFirst }: ImagesProps) {
  const { phase, error, window, opened } = useSignal(list.state);
  const isStuck = phase === 'failed' && window.pages.length > 0;
  useEffect(() => {
    if (isStuck) showToast(error ?? common.unexpected, { tone: 'bad' });
  }, [isStuck, error]);
  if (phase === 'loading' && opened === 0) return <Skeleton />;
  if (phase === 'failed' && window.pages.length === 0)
    return (
      <ErrorNotice message={error ?? common.unexpected} onRetry={() => void list.open({ at: 'start' })} />
    );
  if (phase === 'ready' && window.pages.length === 0) return empty;
  return (
    <div className={styles.images}>
      <Side list={list} side="before" />
      <Grid
        address={address}
        list={list}
        onRetry={(tile) => void runBulk(actions.regenerate, [tile])}
        onCurrent={onCurrent}
        {...(onFirst && { onFirst })}
      />
      <Side list={list} side="after" />
    </div>
  );
}

/** Says that a page could not be loaded, at the end of the list that it belongs to. */
function Side({ list, side }: { readonly list: ImageList; readonly side: 'before' | 'after' }) {
  const state = useSignal(list.state);
  if (state[side] !== 'failed') return side === 'after' ? <div className={styles.end} /> : null;
  return (
    <p className={styles.side} role="alert">
      {text.loadFailed}
      <Button icon="restore" onClick={() => void (side === 'before' ? list.loadBefore() : list.loadAfter())}>
        {common.tryAgain}
      </Button>
    </p>
  );
}

/** Tells of new images that are not shown, because a person looks at others. */
function Arrivals({ list }: { readonly list: ImageList }) {
  const { arrivals, phase } = useSignal(list.state);
  const show = () => {
    scrollTo({ top: 0, behavior: 'instant' });
    // The place is the start of the list only after the event of the scroll.
    requestAnimationFrame(() => void list.showArrivals());
  };
  const isShown = arrivals.size > 0 && phase === 'ready';
  return (
    <div className={styles.arrivals} role="status">
      {isShown ? (
        <button type="button" className={styles.pill} onClick={show}>
          <Icon name="up" size={16} />
          {text.newImages(arrivals.size)}
        </button>
      ) : null}
    </div>
  );
}

/** Shapes of tiles while the first page is loaded: width by height, row by row. */
const SHAPES = [
  [1.5, 1, 0.7, 1.4, 0.9],
  [1, 1.3, 1.5, 1.1, 0.8],
  [0.7, 1.5, 1, 0.9, 1.4],
  [1.4, 1, 0.8, 1.5, 1.2],
];

const Skeleton = () => (
  <div className={styles.images} aria-busy="true">
    <p className={spoken} role="status">
      {common.loading}
    </p>
    {SHAPES.map((row) => (
      <div key={row.join()} className={styles.bones}>
        {row.map((aspect) => (
          <span key={aspect} className={styles.bone} style={{ flexGrow: aspect }} />
        ))}
      </div>
    ))}
  </div>
);
