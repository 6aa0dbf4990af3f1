import { makeSignal, type Signal } from '../state/signal.ts';
import type { Outcome } from './outcome.ts';
import {
  EMPTY_QUEUE,
  type NewItem,
  nextToSend,
  nextWake,
  type Queue,
  type QueueEvent,
  reduce,
} from './queue.ts';
import type { Attempt, Source } from './send.ts';

export interface Runner {
  readonly queue: Signal<Queue>;
  /** Why the queue stopped by itself; null if it did not. */
  readonly stopped: Signal<string | null>;
  add(items: readonly (NewItem & Source)[]): void;
  dispatch(event: QueueEvent): void;
  sourceOf(id: number): Source | undefined;
}

interface Clock {
  readonly now: () => number;
  readonly random: () => number;
  readonly setTimeout: (run: () => void, milliseconds: number) => unknown;
}

const CLOCK: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (run, milliseconds) => setTimeout(run, milliseconds),
};

/** State of a queue beside the model: what to send, and how to stop sending it. */
interface Work {
  readonly sources: Source[];
  readonly aborts: Map<number, AbortController>;
  /** Items whose last attempt got no response. */
  readonly uncertain: Set<number>;
}

/** Makes a queue that sends its items by `send`, a few at once. */
export function makeRunner(
  send: (source: Source, attempt: Attempt) => Promise<Outcome>,
  clock: Clock = CLOCK,
): Runner {
  const queue = makeSignal(EMPTY_QUEUE);
  const stopped = makeSignal<string | null>(null);
  const work: Work = { sources: [], aborts: new Map(), uncertain: new Set() };
  let wake = 0;

  function dispatch(event: QueueEvent): void {
    queue.set(reduce(queue.get(), event));
    if (event.type === 'resume') stopped.set(null);
    if (event.type === 'clear' && queue.get().items.length === 0) {
      work.sources.length = 0;
      work.uncertain.clear();
    }
    if (event.type !== 'progress') pump();
  }

  function pump(): void {
    for (const [id, abort] of work.aborts) if (queue.get().items[id]?.state !== 'sending') abort.abort();
    for (const { id } of nextToSend(queue.get(), clock.now())) {
      queue.set(reduce(queue.get(), { type: 'start', id }));
      void attempt(id);
    }
    const next = nextWake(queue.get(), clock.now());
    if (next === null || next === wake) return;
    wake = next;
    clock.setTimeout(() => {
      if (wake === next) wake = 0;
      pump();
    }, next - clock.now());
  }

  async function attempt(id: number): Promise<void> {
    const source = work.sources[id] as Source;
    const abort = new AbortController();
    work.aborts.set(id, abort);
    const outcome = await send(source, {
      isRepeat: work.uncertain.has(id),
      signal: abort.signal,
      onProgress: (sent) => dispatch({ type: 'progress', id, sent }),
    });
    if (work.aborts.get(id) === abort) work.aborts.delete(id);
    // An item that was cancelled, and perhaps sent again since, takes no outcome of the former attempt.
    if (abort.signal.aborted) work.uncertain.add(id);
    else finish(id, outcome);
  }

  function finish(id: number, outcome: Outcome): void {
    if (outcome.type === 'failed' && outcome.isUncertain) work.uncertain.add(id);
    if (outcome.type === 'stopped') {
      stopped.set(outcome.problem);
      queue.set(reduce(queue.get(), { type: 'pause' }));
    }
    dispatch(eventOf(id, outcome, clock));
  }

  return {
    queue,
    stopped,
    dispatch,
    sourceOf: (id) => work.sources[id],
    add(items) {
      for (const { content, name, options, requestId } of items)
        work.sources.push({ content, name, options, requestId });
      dispatch({ type: 'add', items: items.map(({ name, bytes, refusal }) => ({ name, bytes, refusal })) });
    },
  };
}

function eventOf(id: number, outcome: Outcome, { now, random }: Clock): QueueEvent {
  if (outcome.type === 'stored' || outcome.type === 'refused') return { ...outcome, id };
  const wait = outcome.type === 'stopped' ? 0 : outcome.wait;
  const holds = outcome.type === 'failed' && outcome.wait !== null;
  const { problem } = outcome;
  return { type: 'failed', id, problem, wait, holds, now: now(), random: random() };
}
