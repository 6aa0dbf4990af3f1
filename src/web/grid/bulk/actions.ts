import type { Client } from 'urql';
import { faultOf } from '../../client/errors.ts';
import { showToast } from '../../design/toast.tsx';
import {
  DeleteTileDocument,
  PurgeTileDocument,
  RegenerateTileDocument,
  RestoreTileDocument,
  UndeleteTileDocument,
  type UpdateImageInput,
  UpdateTileDocument,
} from '../../generated/graphql.ts';
import { purged } from '../../state/purged.ts';
import { makeSignal } from '../../state/signal.ts';
import { bulk as text } from '../../text/gallery.ts';
import { text as common } from '../../text/shared.ts';
import type { ImageList, Tile } from '../list/list.ts';
import { runQueue } from './queue.ts';

/** One change of one image. Returns null, or why it failed. */
type Change = (tile: Tile) => Promise<string | null>;

export interface BulkAction {
  /** Text while it runs, such as `Deleting`. */
  readonly label: string;
  /** Text when it has run, such as `Moved 3 images to the trash.` */
  readonly done: (count: number) => string;
  readonly run: Change;
  /** Reverses it for one image, given the fields of the image before; absent: it cannot be reversed. */
  readonly undo?: Change;
}

/** State of the action that runs, or ran last. */
export interface BulkState {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly isRunning: boolean;
  readonly failures: readonly { readonly tile: Tile; readonly fault: string }[];
  readonly stop: () => void;
  /** Runs the action again for the images for which it failed. */
  readonly retry: () => void;
}

/** The action that runs, or the failures of the last one; null: neither. */
export const bulkState = makeSignal<BulkState | null>(null);

const CONCURRENCY = 4;

/** Settles when no action runs or waits. */
let idle: Promise<unknown> = Promise.resolve();

/**
 * Runs an action on images after those that run or wait, shows its progress, and offers to undo it. Returns
 * whether every image was changed.
 */
export function runBulk(action: BulkAction, tiles: readonly Tile[]): Promise<boolean> {
  const turn = idle.then(() => runNow(action, tiles));
  idle = turn.catch(() => undefined);
  return turn;
}

async function runNow(action: BulkAction, tiles: readonly Tile[]): Promise<boolean> {
  if (tiles.length === 0) return true;
  const controller = new AbortController();
  const base = { label: action.label, total: tiles.length, failures: [], retry: () => {} };
  const stop = () => controller.abort();
  const report = (done: number) => bulkState.set({ ...base, done, isRunning: true, stop });
  report(0);
  const outcomes = await runQueue(tiles, {
    run: action.run,
    concurrency: CONCURRENCY,
    onProgress: report,
    signal: controller.signal,
  });
  const changed = outcomes.filter(({ fault }) => fault === null).map(({ task }) => task);
  const failures = outcomes.flatMap(({ task, fault }) => (fault === null ? [] : [{ tile: task, fault }]));
  const retry = () =>
    void runBulk(
      action,
      failures.map(({ tile }) => tile),
    );
  const end = { ...base, done: outcomes.length, isRunning: false, failures, stop, retry };
  bulkState.set(failures.length > 0 ? end : null);
  if (changed.length === 0) return false;
  const { undo } = action;
  const back: BulkAction | undefined = undo && { label: text.undoing, done: text.undone, run: undo };
  showToast(
    action.done(changed.length),
    back ? { action: { label: common.undo, run: () => void runBulk(back, changed) } } : {},
  );
  return changed.length === tiles.length;
}

/** Makes the actions on the images of a list. */
export function makeActions(client: Client, list: ImageList) {
  type Payload = { readonly image: Tile | null } | null;
  const send = async (result: PromiseLike<{ data?: Record<string, unknown> | undefined }>) => {
    const outcome = await result;
    for (const payload of Object.values(outcome.data ?? {}))
      if (typeof payload === 'object' && (payload as Payload)?.image)
        list.apply([(payload as { image: Tile }).image]);
    return faultOf(outcome);
  };
  const remove: Change = ({ id }) => send(client.mutation(DeleteTileDocument, { id }));
  const undelete: Change = ({ id }) => send(client.mutation(UndeleteTileDocument, { id }));
  const update = (input: UpdateImageInput) => send(client.mutation(UpdateTileDocument, { input }));
  const purge: Change = async ({ id }) => {
    const fault = faultOf(await client.mutation(PurgeTileDocument, { id }));
    if (fault === null) purged.tell(id);
    return fault;
  };
  return {
    delete: { label: text.deleting, done: text.deleted, run: remove, undo: undelete },
    undelete: { label: text.undeleting, done: text.undeleted, run: undelete, undo: remove },
    purge: { label: text.purging, done: text.purged, run: purge },
    restore: {
      label: text.restoring,
      done: text.restored,
      run: ({ id }: Tile) => send(client.mutation(RestoreTileDocument, { id })),
    },
    regenerate: {
      label: text.regenerating,
      done: text.regenerated,
      run: ({ id }: Tile) => send(client.mutation(RegenerateTileDocument, { id })),
    },
    visibility: (visibility: Tile['visibility']) => ({
      label: text.changingVisibility,
      done: visibility === 'PUBLIC' ? text.madePublic : text.madePrivate,
      run: ({ id }: Tile) => update({ id, visibility }),
      undo: (before: Tile) => update({ id: before.id, visibility: before.visibility }),
    }),
    tags: (add: readonly string[], removed: readonly string[]) => ({
      label: text.tagging,
      done: text.tagged,
      run: ({ id }: Tile) => update({ id, addTags: [...add], removeTags: [...removed] }),
      undo: (before: Tile) => update({ id: before.id, tags: before.tags }),
    }),
  } satisfies Record<string, BulkAction | ((...args: never[]) => BulkAction)>;
}

export type Actions = ReturnType<typeof makeActions>;
