import { useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { onReconnect } from '../client/events.ts';
import { Button, IconButton } from '../design/button.tsx';
import { formatCount } from '../design/format.ts';
import { Icon } from '../design/icon.tsx';
import { GalleryCountDocument } from '../generated/graphql.ts';
import type { ImageList } from '../grid/list/list.ts';
import { toImageFilter } from '../grid/list/matching.ts';
import { type GalleryFilter, ORDERS, type Order } from '../state/filter.ts';
import { useKeys } from '../state/keys.ts';
import { type Signal, useSignal } from '../state/signal.ts';
import { gallery as text } from '../text/gallery.ts';
import { countOf, omit, withPart } from './conditions.ts';
import { DateButton } from './date-button.tsx';
import styles from './toolbar.module.css';

export interface ToolbarProps {
  readonly list: ImageList;
  readonly filter: GalleryFilter;
  readonly setFilter: (filter: GalleryFilter, replace?: boolean) => void;
  readonly isFiltering: boolean;
  readonly onToggle: () => void;
  readonly onJump: (day: string) => void;
  /** Day of the first image on the screen. */
  readonly day: Signal<string>;
}

/** Search, filters, order, and the way to a date. */
export function Toolbar({ list, filter, setFilter, isFiltering, onToggle, onJump, day }: ToolbarProps) {
  const chosen = countOf(filter);
  const isByDate = filter.order !== 'largest' && filter.order !== 'smallest';
  return (
    <div className={styles.toolbar}>
      <Button
        kind="plain"
        icon="filter"
        className={styles.filters ?? ''}
        aria-expanded={isFiltering}
        onClick={onToggle}
      >
        <span className={styles.wide}>{text.filters}</span>
        {chosen > 0 ? <span className={styles.badge}>{formatCount(chosen)}</span> : null}
      </Button>
      <Search filter={filter} setFilter={setFilter} />
      <Count filter={filter} list={list} />
      <div className={styles.end}>
        <select
          className={styles.order}
          aria-label={text.order}
          value={filter.order ?? 'newest'}
          onChange={({ target }) => {
            const order = target.value as Order;
            setFilter(order === 'newest' ? omit(filter, 'order') : { ...filter, order });
          }}
        >
          {ORDERS.map((order) => (
            <option key={order} value={order}>
              {text.orders[order]}
            </option>
          ))}
        </select>
        {isByDate ? <DateButton filter={filter} day={day} onJump={onJump} /> : null}
      </div>
    </div>
  );
}

/** Milliseconds after a change at which the images are counted again. */
const COUNT_AGAIN = 1500;

function Count({ filter, list }: Pick<ToolbarProps, 'filter' | 'list'>) {
  const { changes } = useSignal(list.state);
  const [{ data }, count] = useQuery({
    query: GalleryCountDocument,
    variables: { filter: toImageFilter(filter) },
    requestPolicy: 'cache-and-network',
  });
  useEffect(() => {
    if (changes === 0) return;
    const timer = setTimeout(() => count({ requestPolicy: 'network-only' }), COUNT_AGAIN);
    return () => clearTimeout(timer);
  }, [changes, count]);
  useEffect(() => onReconnect(() => count({ requestPolicy: 'network-only' })), [count]);
  return (
    <output className={styles.count}>
      {data ? text.count(data.images.totalCount, data.images.totalCountIsExact) : ''}
    </output>
  );
}

/** Milliseconds after the last key press at which the words are searched. */
const PAUSE = 400;

/** The field for words of the prompt. It searches while a person types. */
function Search({ filter, setFilter }: Pick<ToolbarProps, 'filter' | 'setFilter'>) {
  const present = filter.words ?? '';
  const [typed, setTyped] = useState(present);
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  useKeys([{ key: '/', label: text.keySearch, run: () => input.current?.select() }]);
  useEffect(() => {
    setTyped(present);
  }, [present]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const search = (words: string) => {
    clearTimeout(timer.current);
    // While the words are typed, one entry of the history holds all of them.
    if (words.trim() !== present) setFilter(withPart(filter, 'words', words.trim()), present !== '');
  };
  const change = (words: string) => {
    setTyped(words);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => search(words), PAUSE);
  };
  return (
    <search className={styles.search}>
      <Icon name="search" />
      <input
        ref={input}
        type="text"
        enterKeyHint="search"
        aria-label={text.searchLabel}
        placeholder={text.search}
        value={typed}
        onChange={({ target }) => change(target.value)}
        onKeyDown={({ key, currentTarget }) => {
          if (key === 'Enter') search(typed);
          if (key === 'Escape') currentTarget.blur();
        }}
      />
      {typed === '' ? null : <IconButton icon="close" label={text.clearSearch} onClick={() => search('')} />}
    </search>
  );
}
