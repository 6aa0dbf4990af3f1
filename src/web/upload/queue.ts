/** The queue of uploads as a pure model: a state, events, and what to send next. */

/** A file or an address of the queue. */
export interface UploadItem {
  /** Position in the queue; it never changes. */
  readonly id: number;
  readonly name: string;
  /** Size in bytes; null for an address. */
  readonly bytes: number | null;
  readonly state: UploadState;
  /** Bytes sent by the present attempt. */
  readonly sent: number;
  /** Attempts that have begun. */
  readonly tries: number;
  /** Time before which it is not sent again, in milliseconds since 1970. */
  readonly notBefore: number;
  /** Why it was refused or failed, or why it is sent again; null if there is nothing to say. */
  readonly problem: string | null;
  /** Image that holds the bytes; null until there is one. */
  readonly image: string | null;
}

/**
 * State of an item:
 * - `waiting`: not sent yet, or to be sent again
 * - `sending`: an attempt runs
 * - `stored`: a new image has its bytes
 * - `existing`: an image had the same bytes before
 * - `refused`: the same file will be refused again
 * - `failed`: another attempt may succeed
 * - `cancelled`: by the person
 */
export type UploadState = 'waiting' | 'sending' | 'stored' | 'existing' | 'refused' | 'failed' | 'cancelled';

export interface Queue {
  readonly items: readonly UploadItem[];
  readonly isPaused: boolean;
  /** Time before which nothing is sent, because the server asked to wait. */
  readonly holdUntil: number;
}

export const EMPTY_QUEUE: Queue = { items: [], isPaused: false, holdUntil: 0 };

/** Most attempts that run at once. */
export const CONCURRENCY = 3;

/** Most attempts for an item before it counts as failed. */
export const MAX_TRIES = 6;

export type NewItem = Pick<UploadItem, 'name' | 'bytes'> & { readonly refusal: string | null };

export type QueueEvent =
  | { readonly type: 'add'; readonly items: readonly NewItem[] }
  | { readonly type: 'start' | 'cancel' | 'retry'; readonly id: number }
  | { readonly type: 'progress'; readonly id: number; readonly sent: number }
  | { readonly type: 'stored'; readonly id: number; readonly image: string; readonly isNew: boolean }
  | { readonly type: 'refused'; readonly id: number; readonly problem: string; readonly image?: string }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly problem: string;
      /** Milliseconds to wait; null: the usual back-off. */
      readonly wait: number | null;
      /** Whether the server asked to wait, and the whole queue does. */
      readonly holds: boolean;
      readonly now: number;
      /** A random number from 0 to 1. */
      readonly random: number;
    }
  | { readonly type: 'pause' | 'resume' | 'cancelAll' | 'retryAll' | 'clear' };

/** Returns the state after an event. Events that no longer fit the state of their item change nothing. */
export function reduce(queue: Queue, event: QueueEvent): Queue {
  switch (event.type) {
    case 'add':
      return add(queue, event.items);
    case 'pause':
    case 'resume':
      return { ...queue, isPaused: event.type === 'pause' };
    case 'cancelAll':
      return { ...queue, items: queue.items.map((item) => (isOpen(item) ? cancelled(item) : item)) };
    case 'retryAll':
      return { ...queue, items: queue.items.map((item) => (item.state === 'failed' ? again(item) : item)) };
    case 'clear':
      return queue.items.some(isOpen) ? queue : EMPTY_QUEUE;
    default:
      return reduceItem(queue, event);
  }
}

type ItemEvent = Extract<QueueEvent, { readonly id: number }>;

function reduceItem(queue: Queue, event: ItemEvent): Queue {
  const item = queue.items[event.id];
  if (!item) return queue;
  const next = afterEvent(item, withRepeats(queue, event));
  if (next === item) return queue;
  const items = queue.items.with(event.id, next);
  if (event.type !== 'failed' || !event.holds) return { ...queue, items };
  return { ...queue, items, holdUntil: Math.max(queue.holdUntil, next.notBefore) };
}

/** An image that another item of the queue has made is not new: the two files have the same bytes. */
function withRepeats({ items }: Queue, event: ItemEvent): ItemEvent {
  if (event.type !== 'stored' || !event.isNew) return event;
  return { ...event, isNew: !items.some(({ id, image }) => id !== event.id && image === event.image) };
}

function afterEvent(item: UploadItem, event: ItemEvent): UploadItem {
  switch (event.type) {
    case 'start':
      if (item.state !== 'waiting') return item;
      return { ...item, state: 'sending', sent: 0, tries: item.tries + 1, problem: null };
    case 'cancel':
      return isOpen(item) ? cancelled(item) : item;
    case 'retry':
      return item.state === 'failed' || item.state === 'cancelled' ? again(item) : item;
    default:
      return item.state === 'sending' ? afterAttempt(item, event) : item;
  }
}

type AttemptEvent = Exclude<ItemEvent, { readonly type: 'start' | 'cancel' | 'retry' }>;

function afterAttempt(item: UploadItem, event: AttemptEvent): UploadItem {
  switch (event.type) {
    case 'progress':
      return { ...item, sent: Math.max(item.sent, Math.min(event.sent, item.bytes ?? event.sent)) };
    case 'stored':
      return {
        ...item,
        state: event.isNew ? 'stored' : 'existing',
        sent: item.bytes ?? 0,
        image: event.image,
      };
    case 'refused':
      return { ...item, state: 'refused', problem: event.problem, image: event.image ?? null };
    case 'failed':
      if (item.tries >= MAX_TRIES) return { ...item, state: 'failed', problem: event.problem };
      return {
        ...item,
        state: 'waiting',
        problem: event.problem,
        notBefore: event.now + (event.wait ?? backOff(item.tries, event.random)),
      };
  }
}

function add(queue: Queue, added: readonly NewItem[]): Queue {
  const items = added.map(({ name, bytes, refusal }, index): UploadItem => {
    const id = queue.items.length + index;
    const state = refusal === null ? 'waiting' : 'refused';
    return { id, name, bytes, state, sent: 0, tries: 0, notBefore: 0, problem: refusal, image: null };
  });
  return { ...queue, items: [...queue.items, ...items] };
}

const cancelled = (item: UploadItem): UploadItem => ({ ...item, state: 'cancelled', problem: null });

const again = (item: UploadItem): UploadItem => ({
  ...item,
  state: 'waiting',
  sent: 0,
  tries: 0,
  notBefore: 0,
  problem: null,
});

/** Whether the item waits or is being sent. */
export const isOpen = ({ state }: UploadItem) => state === 'waiting' || state === 'sending';

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/** Returns the milliseconds to wait after an attempt: twice as long each time, half of it at random. */
export const backOff = (tries: number, random: number) =>
  Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * (0.5 + random / 2);

/** Returns the items to send now. */
export function nextToSend(queue: Queue, now: number): readonly UploadItem[] {
  if (queue.isPaused || queue.holdUntil > now) return [];
  const free = CONCURRENCY - queue.items.filter(({ state }) => state === 'sending').length;
  if (free <= 0) return [];
  return queue.items.filter(({ state, notBefore }) => state === 'waiting' && notBefore <= now).slice(0, free);
}

/** Returns when an item may be sent that may not be sent now; null: there is none. */
export function nextWake(queue: Queue, now: number): number | null {
  if (queue.isPaused) return null;
  const times = queue.items
    .filter(({ state }) => state === 'waiting')
    .map(({ notBefore }) => Math.max(notBefore, queue.holdUntil))
    .filter((time) => time > now);
  return times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b));
}
