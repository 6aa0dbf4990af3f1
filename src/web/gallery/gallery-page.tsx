import { Suspense, useCallback, useMemo, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { useMay } from '../client/session.tsx';
import { buttonClass } from '../design/button.tsx';
import { loadLater } from '../design/load-later.tsx';
import { Notice } from '../design/notice.tsx';
import { useTitle } from '../design/page.tsx';
import { spoken } from '../design/spoken.tsx';
import type { Tile } from '../grid/list/list.ts';
import { useList } from '../grid/list/use-list.ts';
import { ListView } from '../grid/list-view.tsx';
import { formatFilter, type GalleryFilter, galleryPath, parseFilter } from '../state/filter.ts';
import { useKeys } from '../state/keys.ts';
import { makeSignal } from '../state/signal.ts';
import { gallery as text } from '../text/gallery.ts';
import { Chips } from './chips.tsx';
import { chipsOf } from './conditions.ts';
import { DateRail } from './date-rail.tsx';
import styles from './gallery-page.module.css';
import { Toolbar } from './toolbar.tsx';

const FilterPanel = loadLater(() => import('./filter-panel.tsx'));

/** Returns the filter in the address, and a function that changes it. */
function useFilter() {
  const search = useSearch();
  const [, navigate] = useLocation();
  const filter = useMemo(() => parseFilter(search), [search]);
  const setFilter = useCallback(
    (next: GalleryFilter, replace = false) => navigate(galleryPath(next), { replace }),
    [navigate],
  );
  return [filter, setFilter] as const;
}

/** The gallery: every image that the filter in the address finds. */
export default function GalleryPage() {
  useTitle(text.title);
  const [filter, setFilter] = useFilter();
  const [isFiltering, setFiltering] = useState(false);
  const day = useMemo(() => makeSignal(''), []);
  const query = formatFilter(filter);
  const list = useList(`gallery?${query}`, query);
  const onFirst = useCallback((tile: Tile) => day.set(tile.createdAt.slice(0, 10)), [day]);
  const onJump = useCallback((to: string) => void list.open({ at: 'day', day: to }), [list]);
  const onToggle = useCallback(() => setFiltering((was) => !was), []);
  useKeys([{ key: 'f', label: text.keyFilter, run: onToggle }]);
  const isByDate = filter.order !== 'largest' && filter.order !== 'smallest';
  return (
    <div className={styles.page}>
      <h1 className={spoken}>{text.title}</h1>
      {isFiltering ? (
        <Suspense fallback={<aside className={styles.panel} />}>
          <FilterPanel
            filter={filter}
            onChange={setFilter}
            onClose={onToggle}
            className={styles.panel ?? ''}
          />
        </Suspense>
      ) : null}
      <div className={styles.list}>
        <ListView
          address={`gallery?${query}`}
          list={list}
          isTrash={filter.trash === 'only'}
          onFirst={onFirst}
          toolbar={<Toolbar {...{ list, filter, setFilter, isFiltering, onToggle, onJump, day }} />}
          head={<Chips filter={filter} onChange={setFilter} />}
          empty={<Empty filter={filter} onClear={() => setFilter({})} />}
        />
      </div>
      {isByDate ? <DateRail filter={filter} day={day} onJump={onJump} /> : null}
    </div>
  );
}

/** Notice when there is nothing to see, with what to do then. */
function Empty({ filter, onClear }: { readonly filter: GalleryFilter; readonly onClear: () => void }) {
  const mayMake = useMay('IMAGES_GENERATE');
  const mayUpload = useMay('IMAGES_WRITE');
  if (chipsOf(filter).length > 0)
    return (
      <Notice icon="search" title={text.noMatch}>
        <p>{text.noMatchHint}</p>
        <button type="button" className={buttonClass()} onClick={onClear}>
          {text.clearAll}
        </button>
      </Notice>
    );
  return (
    <Notice icon="gallery" title={text.empty}>
      <p>{text.emptyHint}</p>
      <div className={styles.ways}>
        {mayMake ? (
          <Link className={buttonClass('primary')} href="/make">
            {text.make}
          </Link>
        ) : null}
        {mayUpload ? (
          <Link className={buttonClass()} href="/upload">
            {text.upload}
          </Link>
        ) : null}
      </div>
    </Notice>
  );
}
