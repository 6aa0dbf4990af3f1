import type { TileFragment } from '../../generated/graphql.ts';
import type { GalleryFilter } from '../../state/filter.ts';
import { makeSignal, type Signal } from '../../state/signal.ts';
import { matches } from './matching.ts';
import { deselect, NOTHING, type Selection } from './selection.ts';
import type { ListSource, PageResult } from './source.ts';
import {
  append,
  entriesOf,
  firstCursor,
  type ListWindow,
  lastCursor,
  openWindow,
  PAGE_SIZE,
  prepend,
  remove,
  replace,
} from './window.ts';

export type Tile = TileFragment;

/** State of a page that is being loaded. */
type Load = 'idle' | 'loading' | 'failed';

/** Place in the list at which a window is opened. */
export type Start =
  | { readonly at: 'start' }
  | { readonly at: 'cursor'; readonly cursor: string }
  | { readonly at: 'day'; readonly day: string };

export interface ListState {
  readonly window: ListWindow<Tile>;
  readonly phase: 'loading' | 'ready' | 'failed';
  /** Why the last load failed. */
  readonly error: string | null;
  readonly before: Load;
  readonly after: Load;
  /** New images at the start that are not shown yet. */
  readonly arrivals: ReadonlySet<string>;
  /** Images of the window that the filter no longer finds. */
  readonly stale: ReadonlySet<string>;
  /** Time of the newest image that was loaded: what is created later has arrived since. */
  readonly since: string;
  /** Number of changes by which images entered or left the list. */
  readonly changes: number;
  /** Place at which the window was opened. */
  readonly start: Start;
  /** Number of times that the window was opened; the view goes to its start then. */
  readonly opened: number;
}

export interface ImageList {
  readonly filter: GalleryFilter;
  readonly state: Signal<ListState>;
  readonly selection: Signal<Selection>;
  /** Discards the window and loads the first page at a place of the list. */
  open(start: Start): Promise<void>;
  loadBefore(): Promise<void>;
  loadAfter(): Promise<void>;
  /** Shows the new images; at another place of the list, goes to its start. */
  showArrivals(): Promise<void>;
  /** Tells whether the start of the list is on the screen: new images are then shown at once. */
  setAtStart(isAtStart: boolean): void;
  /** Takes over changed images. */
  apply(images: readonly Tile[]): void;
  /** Removes a purged image. Loads the start of the list when no other image is loaded. */
  remove(id: string): void;
  /** Returns a loaded or selected image. */
  tileOf(id: string): Tile | undefined;
  /** Loads the first page again, because changes may have been missed. */
  refresh(): Promise<void>;
  close(): void;
}

const EMPTY: ListState = {
  window: { pages: [], hasBefore: false, hasAfter: false },
  phase: 'loading',
  error: null,
  before: 'idle',
  after: 'idle',
  arrivals: new Set(),
  stale: new Set(),
  since: '',
  changes: 0,
  start: { at: 'start' },
  opened: 0,
};

/** Milliseconds for which changes are gathered before they are shown. */
const GATHER = 150;

/** Opens a list of images: a window of its pages, kept up to date by events. */
export function openImageList(filter: GalleryFilter, source: ListSource, start: Start): ImageList {
  const state = makeSignal(EMPTY);
  const selection = makeSignal<Selection>(NOTHING);
  const pages = makePages(state, source);
  const live = makeLive(filter, state, pages);
  const remembered = rememberSelected(state, selection);
  const closers = [source.subscribe(live.receive), source.onReconnect(live.refresh)];
  const list: ImageList = {
    filter,
    state,
    selection,
    ...pages,
    showArrivals: live.showArrivals,
    setAtStart: live.setAtStart,
    refresh: live.refresh,
    apply(images) {
      remembered.update(images);
      live.apply(images);
    },
    remove(id) {
      const gone = new Set([id]);
      const present = state.get();
      const window = remove(present.window, gone);
      const arrivals = new Set([...present.arrivals].filter((each) => each !== id));
      state.set({ ...present, window, arrivals, changes: present.changes + 1 });
      selection.set(deselect(selection.get(), gone));
      if (window.pages.length === 0 && (window.hasBefore || window.hasAfter))
        void pages.open({ at: 'start' });
    },
    tileOf: remembered.tileOf,
    close() {
      pages.cancel();
      live.close();
      for (const close of closers) close();
    },
  };
  void list.open(start);
  return list;
}

type Pages = Pick<ImageList, 'open' | 'loadBefore' | 'loadAfter'> & { cancel(): void };

/** Makes the functions that load pages, one at a time: two at once could leave a hole between them. */
function makePages(state: Signal<ListState>, source: ListSource): Pages {
  let turn = 0;
  let isBusy = false;
  const update = (changes: Partial<ListState>) => state.set({ ...state.get(), ...changes });
  const load = async (side: 'before' | 'after', args: Parameters<ListSource['fetchPage']>[0]) => {
    if (isBusy) return;
    isBusy = true;
    const mine = turn;
    update({ [side]: 'loading' });
    const result = await source.fetchPage(args);
    if (mine !== turn) return;
    isBusy = false;
    if ('fault' in result) return update({ [side]: 'failed', error: result.fault });
    const { window } = state.get();
    const add = side === 'before' ? prepend : append;
    const more = side === 'before' ? result.hasPreviousPage : result.hasNextPage;
    const grown = add(window, result.entries, more);
    update({ window: grown, since: sinceOf(grown, state.get().since), [side]: 'idle' });
  };
  return {
    async open(start) {
      const mine = ++turn;
      isBusy = true;
      update({ phase: 'loading', error: null, start, before: 'idle', after: 'idle' });
      const result = await openAt(start, source);
      if (mine !== turn) return;
      isBusy = false;
      if ('fault' in result) return update({ phase: 'failed', error: result.fault });
      const window = openWindow(result.entries, {
        hasBefore: result.hasPreviousPage,
        hasAfter: result.hasNextPage,
      });
      const since = sinceOf(window, new Date().toISOString());
      const opened = state.get().opened + 1;
      update({ window, since, phase: 'ready', opened, arrivals: new Set(), stale: new Set() });
    },
    async loadBefore() {
      const { window } = state.get();
      const before = firstCursor(window);
      if (window.hasBefore && before) await load('before', { last: PAGE_SIZE, before });
    },
    async loadAfter() {
      const { window } = state.get();
      const after = lastCursor(window);
      if (window.hasAfter && after) await load('after', { first: PAGE_SIZE, after });
    },
    cancel: () => void turn++,
  };
}

/** Loads the first page of a window. Falls back to an end of the list when the place has no images. */
async function openAt(start: Start, source: ListSource): Promise<PageResult> {
  if (start.at === 'start') return source.fetchPage({ first: PAGE_SIZE });
  const result = await (start.at === 'cursor'
    ? source.fetchPage({ first: PAGE_SIZE, after: start.cursor })
    : source.fetchPage({ first: PAGE_SIZE, day: start.day }));
  if ('fault' in result) return result;
  if (result.entries.length > 0) return { ...result, hasPreviousPage: true };
  return source.fetchPage({ last: PAGE_SIZE });
}

/** Makes the functions that keep a window up to date. */
function makeLive(filter: GalleryFilter, state: Signal<ListState>, pages: Pages) {
  const gathered = new Map<string, Tile>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAtStart = true;
  const update = (changes: Partial<ListState>) => state.set({ ...state.get(), ...changes });
  const showArrivals = async () => {
    const { window, phase, arrivals } = state.get();
    if (arrivals.size === 0 || phase === 'loading') return;
    if (window.hasBefore || window.pages.length === 0) return pages.open({ at: 'start' });
    update({ window: { ...window, hasBefore: true }, arrivals: new Set() });
    await pages.loadBefore();
  };
  const apply = (images: readonly Tile[]) => {
    const before = state.get();
    const after = applyChanges(filter, before, images);
    const isSame = after.stale.size === before.stale.size && after.arrivals.size === before.arrivals.size;
    update({ ...after, changes: before.changes + (isSame ? 0 : 1) });
    if (isAtStart) void showArrivals();
  };
  const flush = () => {
    timer = undefined;
    const images = [...gathered.values()];
    gathered.clear();
    apply(images);
  };
  return {
    showArrivals,
    apply,
    receive(image: Tile) {
      gathered.set(image.id, image);
      timer ??= setTimeout(flush, GATHER);
    },
    setAtStart(value: boolean) {
      isAtStart = value;
      if (isAtStart) void showArrivals();
    },
    async refresh() {
      const { window, phase } = state.get();
      if (phase === 'failed' || window.pages.length === 0) return pages.open({ at: 'start' });
      if (isAtStart && !window.hasBefore) return pages.open({ at: 'start' });
      // Elsewhere the window stays. What is new at the start is loaded when it is scrolled to.
      update({ window: { ...window, hasBefore: true } });
    },
    close: () => clearTimeout(timer),
  };
}

/** Returns what events change: images in place, images that left the filter, images that came. */
export function applyChanges(
  filter: GalleryFilter,
  { window: before, stale: wereStale, arrivals: had, since }: ListState,
  images: readonly Tile[],
): Pick<ListState, 'window' | 'stale' | 'arrivals'> {
  const known = new Set(entriesOf(before).map(({ node }) => node.id));
  const { order = 'newest' } = filter;
  const stale = new Set(wereStale);
  const arrivals = new Set(had);
  let window = before;
  for (const image of images) {
    const isFound = matches(filter, image);
    if (known.has(image.id)) {
      window = replace(window, image);
      if (isFound) stale.delete(image.id);
      else stale.add(image.id);
    } else if (!isFound) arrivals.delete(image.id);
    else if (order === 'newest' && image.createdAt >= since) arrivals.add(image.id);
    else if (order === 'oldest' && !window.hasAfter) window = { ...window, hasAfter: true };
  }
  return { window, stale, arrivals };
}

/** Returns the time of the newest image when the window reaches the start of the list. */
const sinceOf = ({ hasBefore, pages }: ListWindow<Tile>, otherwise: string) =>
  hasBefore ? otherwise : (pages[0]?.entries[0]?.node.createdAt ?? '');

/** Keeps the fields of selected images, also of those that the window has dropped. */
function rememberSelected(state: Signal<ListState>, selection: Signal<Selection>) {
  const tiles = new Map<string, Tile>();
  const find = (id: string) =>
    entriesOf(state.get().window).find(({ node }) => node.id === id)?.node ?? tiles.get(id);
  selection.subscribe(() => {
    const { ids } = selection.get();
    for (const id of tiles.keys()) if (!ids.has(id)) tiles.delete(id);
    if (![...ids].some((id) => !tiles.has(id))) return;
    for (const { node } of entriesOf(state.get().window)) if (ids.has(node.id)) tiles.set(node.id, node);
  });
  return {
    tileOf: find,
    update(images: readonly Tile[]) {
      for (const image of images) if (tiles.has(image.id)) tiles.set(image.id, image);
    },
  };
}
