import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import { useMay } from '../../client/session.tsx';
import { Button, IconButton } from '../../design/button.tsx';
import { Menu, MenuItem, MenuLine } from '../../design/menu.tsx';
import { showToast } from '../../design/toast.tsx';
import { useKeys } from '../../state/keys.ts';
import { useSignal } from '../../state/signal.ts';
import { grid as gridText, bulk as text } from '../../text/gallery.ts';
import type { ImageList, Tile } from '../list/list.ts';
import { NOTHING, selectAll } from '../list/selection.ts';
import { entriesOf } from '../list/window.ts';
import { type Actions, type BulkAction, runBulk, runOnAll } from './actions.ts';
import styles from './bulk-bar.module.css';
import { copyAddresses, download } from './download.ts';
import { PurgeDialog } from './purge-dialog.tsx';
import { TagsDialog } from './tags-dialog.tsx';

interface BulkBarProps {
  readonly list: ImageList;
  readonly actions: Actions;
  /** Whether the list shows the trash. */
  readonly isTrash: boolean;
  /** Returns the images of an action by key: the selected ones, else the one with the focus. */
  readonly targets: () => readonly Tile[];
}

/** Selects every loaded image, and says how many they are. */
function selectLoaded(list: ImageList): void {
  const order = entriesOf(list.state.get().window).map(({ node }) => node.id);
  list.selection.set(selectAll(list.selection.get(), order));
  showToast(text.selectedLoaded(order.length));
}

/** Actions on the selected images, in place of the toolbar, and their keys. */
export function BulkBar({ list, actions, isTrash, targets }: BulkBarProps) {
  const { ids } = useSignal(list.selection);
  const client = useClient();
  const mayWrite = useMay('IMAGES_WRITE');
  const [dialog, setDialog] = useState<{ kind: 'tags' | 'purge'; tiles: readonly Tile[] }>();
  const { isAll, chooseAll } = useAll(list);
  const clear = () => list.selection.set(NOTHING);
  const run = (action: BulkAction, tiles: readonly Tile[]) => {
    if (!isAll) return void runBulk(action, tiles);
    clear();
    void runOnAll(action, client, list);
  };
  const act = (action: BulkAction) => run(action, targets());
  const ask = (kind: 'tags' | 'purge') => setDialog({ kind, tiles: targets() });
  useBulkKeys({ list, isTrash, targets, act, ask, actions });
  useClearing(list);
  return (
    <>
      {ids.size > 0 ? (
        <section className={styles.bar} aria-label={text.bar}>
          <IconButton icon="close" label={text.clear} onClick={clear} />
          <output className={styles.count}>{isAll ? text.selectedAll : text.selected(ids.size)}</output>
          <div className={styles.actions}>
            {mayWrite && chooseAll ? (
              <Button kind="quiet" onClick={chooseAll}>
                {text.chooseAll}
              </Button>
            ) : null}
            {isTrash ? (
              <TrashActions
                mayWrite={mayWrite}
                onUndelete={() => act(actions.undelete)}
                onPurge={() => ask('purge')}
              />
            ) : (
              <ListActions {...{ list, mayWrite, isAll, actions, act, targets }} onTags={() => ask('tags')} />
            )}
          </div>
        </section>
      ) : null}
      <TagsDialog
        tiles={dialog?.kind === 'tags' ? dialog.tiles : null}
        isAll={isAll}
        onClose={() => setDialog(undefined)}
        onApply={(add, removed, tiles) => run(actions.tags(add, removed), tiles)}
      />
      <PurgeDialog
        tiles={dialog?.kind === 'purge' ? dialog.tiles : null}
        isAll={isAll}
        onClose={() => setDialog(undefined)}
        onConfirm={(tiles) => run(actions.purge, tiles)}
      />
    </>
  );
}

/**
 * Returns whether the actions are for every image of the list's filter, and a function that makes them so,
 * which is there once every loaded image is selected and others exist. Each change of the selection ends it.
 */
function useAll(list: ImageList): { readonly isAll: boolean; readonly chooseAll: (() => void) | undefined } {
  const { ids } = useSignal(list.selection);
  const { window } = useSignal(list.state);
  const [chosen, setChosen] = useState<ReadonlySet<string>>();
  const isAll = chosen === ids;
  const hasOthers = window.hasBefore || window.hasAfter;
  const isOffered = !isAll && hasOthers && entriesOf(window).every(({ node }) => ids.has(node.id));
  return { isAll, chooseAll: isOffered ? () => setChosen(ids) : undefined };
}

interface KeyOptions extends BulkBarProps {
  readonly act: (action: BulkAction) => void;
  readonly ask: (kind: 'tags' | 'purge') => void;
}

function useBulkKeys({ list, isTrash, targets, act, ask, actions }: KeyOptions): void {
  const mayWrite = useMay('IMAGES_WRITE');
  const onTargets = (run: () => void) => () => mayWrite && targets().length > 0 && run();
  const change = [
    {
      key: 'x',
      label: gridText.keyDelete,
      run: onTargets(() => (isTrash ? ask('purge') : act(actions.delete))),
    },
    ...(isTrash ? [] : [{ key: 't', label: gridText.keyTag, run: onTargets(() => ask('tags')) }]),
  ];
  useKeys([
    { key: 'Arrows', label: gridText.keyMove },
    { key: ' ', label: gridText.keySelect },
    { key: 'Enter', label: gridText.keyOpen },
    { key: 'mod+a', label: gridText.keyAll, run: () => selectLoaded(list) },
    { key: 'Escape', label: gridText.keyClear, run: () => list.selection.set(NOTHING) },
    ...(mayWrite ? change : []),
  ]);
}

/** Takes images out of the selection that an action has removed from the list. */
function useClearing(list: ImageList): void {
  const { stale } = useSignal(list.state);
  useEffect(() => {
    const { ids, anchor } = list.selection.get();
    const kept = [...ids].filter((id) => !stale.has(id));
    if (kept.length < ids.size) list.selection.set({ ids: new Set(kept), anchor });
  }, [list, stale]);
}

interface TrashActionsProps {
  readonly mayWrite: boolean;
  readonly onUndelete: () => void;
  readonly onPurge: () => void;
}

const TrashActions = ({ mayWrite, onUndelete, onPurge }: TrashActionsProps) =>
  mayWrite ? (
    <>
      <Button kind="quiet" icon="restore" onClick={onUndelete}>
        {text.restoreFromTrash}
      </Button>
      <Button kind="danger" icon="trash" onClick={onPurge}>
        {text.purge}
      </Button>
    </>
  ) : null;

interface ListActionsProps {
  readonly list: ImageList;
  readonly mayWrite: boolean;
  /** Whether the actions are for every image of the filter: those without a server's help are left out. */
  readonly isAll: boolean;
  readonly actions: Actions;
  readonly act: (action: BulkAction) => void;
  readonly targets: () => readonly Tile[];
  readonly onTags: () => void;
}

const ListActions = ({ list, mayWrite, isAll, actions, act, targets, onTags }: ListActionsProps) => (
  <>
    {mayWrite ? <IconButton icon="tag" label={text.tags} onClick={onTags} /> : null}
    {isAll ? null : <IconButton icon="download" label={text.download} onClick={() => download(targets())} />}
    {mayWrite ? <IconButton icon="trash" label={text.remove} onClick={() => act(actions.delete)} /> : null}
    <Menu trigger={<IconButton icon="more" label={text.more} />}>
      <MenuItem icon="check" onSelect={() => selectLoaded(list)}>
        {text.allLoaded}
      </MenuItem>
      {isAll ? null : (
        <MenuItem icon="link" onSelect={() => void copyAddresses(targets())}>
          {text.copyAddresses}
        </MenuItem>
      )}
      {mayWrite ? (
        <>
          <MenuLine />
          <MenuItem icon="eye" onSelect={() => act(actions.visibility('PUBLIC'))}>
            {text.makePublic}
          </MenuItem>
          <MenuItem icon="lock" onSelect={() => act(actions.visibility('PRIVATE'))}>
            {text.makePrivate}
          </MenuItem>
          <MenuItem icon="stores" onSelect={() => act(actions.restore)}>
            {text.restore}
          </MenuItem>
          {targets().some(({ deletedAt }) => deletedAt !== null) ? (
            <MenuItem icon="restore" onSelect={() => act(actions.undelete)}>
              {text.restoreFromTrash}
            </MenuItem>
          ) : null}
        </>
      ) : null}
    </Menu>
  </>
);
