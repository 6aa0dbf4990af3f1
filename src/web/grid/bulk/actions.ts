import type { Client, DocumentInput } from 'urql';
import { faultOf } from '../../client/errors.ts';
import { showToast } from '../../design/toast.tsx';
import {
  DeleteTilesDocument,
  PurgeTilesDocument,
  RegenerateTileDocument,
  RestoreTilesDocument,
  type TileResultFragment,
  UndeleteTilesDocument,
  type UpdateImagesInput,
  UpdateTilesDocument,
} from '../../generated/graphql.ts';
import { purged } from '../../state/purged.ts';
import { makeSignal } from '../../state/signal.ts';
import { bulk as text } from '../../text/gallery.ts';
import { text as common } from '../../text/shared.ts';
import type { ImageList, Tile } from '../list/list.ts';
import { toImageFilter } from '../list/matching.ts';
import { runQueue } from './queue.ts';
import { followRun } from './run.ts';

/** Changes images. Returns for each, in their order, null or why it failed. */
type Change = (tiles: readonly Tile[]) => Promise<readonly (string | null)[]>;

export interface BulkAction {
  /** Text while it runs, such as `Deleting`. */
  readonly label: string;
  /** Text when it has run, such as `Moved 3 images to the trash.` */
  readonly done: (count: number) => string;
  readonly run: Change;
  /** Most images of one request. */
  readonly size: number;
  /** Reverses it, given the images as they were before; absent: it cannot be reversed. */
  readonly undo?: Change;
  /** Starts it for all images of the list's filter. Returns the id of the run, or why it did not start. */
  readonly startAll?: () => Promise<{ readonly id: string } | { readonly fault: string }>;
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

/** Most images of one request, few enough that the progress is seen. */
const SIZE = 50;
const CONCURRENCY = 4;

/** Settles when no action runs or waits. */
let idle: Promise<unknown> = Promise.resolve();

function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  const turn = idle.then(work);
  idle = turn.catch(() => undefined);
  return turn;
}

/** Runs an action on images after those that run or wait, shows its progress, and offers to undo it. */
export const runBulk = (action: BulkAction, tiles: readonly Tile[]): Promise<void> =>
  inTurn(() => runNow(action, tiles));

async function runNow(action: BulkAction, tiles: readonly Tile[]): Promise<void> {
  if (tiles.length === 0) return;
  const controller = new AbortController();
  const stop = () => controller.abort();
  const base = { label: action.label, total: tiles.length, stop };
  const report = (done: number) =>
    bulkState.set({ ...base, done, isRunning: true, failures: [], retry: () => {} });
  report(0);
  const outcomes = await runQueue(tiles, {
    run: action.run,
    size: action.size,
    concurrency: action.size > 1 ? 1 : CONCURRENCY,
    onProgress: report,
    signal: controller.signal,
  });
  const changed = outcomes.filter(({ fault }) => fault === null).map(({ task }) => task);
  const failures = outcomes.flatMap(({ task, fault }) => (fault === null ? [] : [{ tile: task, fault }]));
  end(action, { ...base, done: outcomes.length, failures });
  if (changed.length === 0) return;
  const { undo } = action;
  const back = undo && { label: text.undoing, done: text.undone, run: undo, size: action.size };
  showToast(
    action.done(changed.length),
    back ? { action: { label: common.undo, run: () => void runBulk(back, changed) } } : {},
  );
}

/** Shows the failures of an action that has ended. */
function end(action: BulkAction, state: Omit<BulkState, 'isRunning' | 'retry'>): void {
  const tiles = state.failures.map(({ tile }) => tile);
  const retry = () => void runBulk(action, tiles);
  bulkState.set(tiles.length > 0 ? { ...state, isRunning: false, retry } : null);
}

/** Runs an action on all images of the filter of a list, and shows its progress. */
export const runOnAll = (action: BulkAction, client: Client, list: ImageList): Promise<void> =>
  inTurn(async () => {
    const started = (await action.startAll?.()) ?? { fault: common.unexpected };
    if ('fault' in started) return showToast(started.fault, { tone: 'bad' });
    const report = (done: number, total: number, stop: () => void) =>
      bulkState.set({
        label: action.label,
        done,
        total,
        stop,
        isRunning: true,
        failures: [],
        retry: () => {},
      });
    const { total, changed, failures, fault } = await followRun(client, started.id, report);
    end(action, { label: action.label, done: total, total, stop: () => {}, failures });
    await list.open(list.state.get().start);
    const state = list.state.get();
    list.state.set({ ...state, changes: state.changes + 1 });
    if (fault !== null) showToast(fault, { tone: 'bad' });
    else showToast(action.done(changed));
  });

interface BulkPayload {
  readonly results: readonly TileResultFragment[];
  readonly run: { readonly id: string } | null;
}

type Ways = Pick<BulkAction, 'run' | 'startAll' | 'size'>;

/** Returns a function that makes the two ways to run one of the mutations of many images. */
const makeWays =
  (client: Client, list: ImageList) =>
  <Input extends object>(
    document: DocumentInput<Record<string, unknown>, { input: never }>,
    input: Input,
  ): Ways => {
    const send = async (which: object) => {
      const outcome = await client.mutation(document, { input: { ...input, ...which } as never });
      const payload = Object.values(outcome.data ?? {}).find((value) => typeof value === 'object');
      return { fault: faultOf(outcome), payload: payload as BulkPayload | undefined };
    };
    return {
      size: SIZE,
      async run(tiles) {
        const { fault, payload } = await send({ ids: tiles.map(({ id }) => id) });
        const results = payload?.results ?? [];
        list.apply(results.flatMap(({ image }) => image ?? []));
        return tiles.map((_tile, index) => fault ?? results[index]?.error?.message ?? null);
      },
      async startAll() {
        const { fault, payload } = await send({ filter: toImageFilter(list.filter) });
        return payload?.run ? { id: payload.run.id } : { fault: fault ?? common.unexpected };
      },
    };
  };

/** Makes the actions on the images of a list. */
export function makeActions(client: Client, list: ImageList) {
  const many = makeWays(client, list);
  const remove = many(DeleteTilesDocument, {});
  const undelete = many(UndeleteTilesDocument, {});
  const update = (changes: Omit<UpdateImagesInput, 'ids' | 'filter'>) => many(UpdateTilesDocument, changes);
  const purge = many(PurgeTilesDocument, {});
  /** Reverses changes that differ from image to image: one request for those that are alike. */
  const back =
    (before: (tile: Tile) => Omit<UpdateImagesInput, 'ids' | 'filter'>): Change =>
    async (tiles) => {
      const faults = new Map<Tile, string | null>();
      for (const alike of Map.groupBy(tiles, (tile) => JSON.stringify(before(tile))).values()) {
        const outcome = await update(before(alike[0] as Tile)).run(alike);
        for (const [index, tile] of alike.entries()) faults.set(tile, outcome[index] ?? null);
      }
      return tiles.map((tile) => faults.get(tile) ?? null);
    };
  return {
    delete: { label: text.deleting, done: text.deleted, ...remove, undo: undelete.run },
    undelete: { label: text.undeleting, done: text.undeleted, ...undelete, undo: remove.run },
    purge: {
      label: text.purging,
      done: text.purged,
      ...purge,
      async run(tiles: readonly Tile[]) {
        const faults = await purge.run(tiles);
        for (const [index, { id }] of tiles.entries()) if (faults[index] === null) purged.tell(id);
        return faults;
      },
    },
    restore: { label: text.restoring, done: text.restored, ...many(RestoreTilesDocument, {}) },
    regenerate: {
      label: text.regenerating,
      done: text.regenerated,
      size: 1,
      async run([tile]: readonly Tile[]) {
        const outcome = await client.mutation(RegenerateTileDocument, { id: tile?.id ?? '' });
        const image = outcome.data?.regenerateImage?.image;
        if (image) list.apply([image]);
        return [faultOf(outcome)];
      },
    },
    visibility: (visibility: Tile['visibility']) => ({
      label: text.changingVisibility,
      done: visibility === 'PUBLIC' ? text.madePublic : text.madePrivate,
      ...update({ visibility }),
      undo: back((before) => ({ visibility: before.visibility })),
    }),
    tags: (add: readonly string[], removed: readonly string[]) => ({
      label: text.tagging,
      done: text.tagged,
      ...update({ addTags: [...add], removeTags: [...removed] }),
      undo: back((before) => ({ tags: before.tags })),
    }),
  } satisfies Record<string, BulkAction | ((...args: never[]) => BulkAction)>;
}

export type Actions = ReturnType<typeof makeActions>;
