import { createClient } from 'graphql-sse';
import type { SubscriptionOperation } from 'urql';
import { addressOf } from './address.ts';
import { HEADERS } from './headers.ts';

type Listener = () => void;
const listeners = new Set<Listener>();

/**
 * Calls `listener` when changes may have been missed: after a reconnection, and when a page is shown whose
 * subscriptions had ended. Returns a function to stop it.
 */
export function onReconnect(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

type Variables = Readonly<Record<string, unknown>>;
type EndListener = (variables: Variables) => void;
const endListeners = new Set<EndListener>();

/** Calls `listener` with the variables of each subscription that the server ends. Returns a way to stop. */
export function onEnd(listener: EndListener): () => void {
  endListeners.add(listener);
  return () => void endListeners.delete(listener);
}

/** Most seconds between two attempts to connect. */
const MAX_RETRY_SECONDS = 30;

/** Receives subscriptions as server-sent events. Connects again, with growing pauses, until unsubscribed. */
const client = createClient({
  url: addressOf('graphql'),
  headers: HEADERS,
  credentials: 'same-origin',
  retryAttempts: Number.POSITIVE_INFINITY,
  retry: (retries) => {
    const seconds = Math.min(MAX_RETRY_SECONDS, 2 ** retries) * (0.5 + Math.random() / 2);
    return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  },
  on: {
    connected: (reconnected) => {
      if (reconnected) for (const listener of listeners) listener();
    },
  },
});

interface EventSink {
  // biome-ignore lint/suspicious/noExplicitAny: urql does not know the type of the result here.
  readonly next: (value: any) => void;
  readonly error: (error: unknown) => void;
  readonly complete: () => void;
}

/** A subscription of the page, which can be stopped and started again. */
interface Stream {
  start(): void;
  stop(): void;
}

const streams = new Set<Stream>();

/** Milliseconds for which a page may be hidden before its subscriptions end. */
const MAX_HIDDEN = 30_000;

// A browser has six connections to a server without HTTP/2: tabs in the background would use them up.
let isPaused = document.hidden;
let timer: ReturnType<typeof setTimeout> | undefined;

function pause(): void {
  isPaused = true;
  for (const { stop } of streams) stop();
}

document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (document.hidden) timer = setTimeout(pause, MAX_HIDDEN);
  else if (isPaused) {
    isPaused = false;
    for (const { start } of streams) start();
    for (const listener of listeners) listener();
  }
});

/** Starts a subscription for urql. It runs while the page is shown, and for a short time after. */
export const forwardSubscription = ({ query, variables }: SubscriptionOperation) => ({
  subscribe(sink: EventSink) {
    const stream = makeStream({ query: query ?? '', variables: variables ?? {} }, sink);
    streams.add(stream);
    if (!isPaused) stream.start();
    return {
      unsubscribe() {
        streams.delete(stream);
        stream.stop();
      },
    };
  },
});

function makeStream(request: { query: string; variables: Variables }, sink: EventSink): Stream {
  let end: (() => void) | null = null;
  // graphql-sse completes a subscription too that this page has stopped.
  const complete = () => {
    if (end === null) return;
    end = null;
    sink.complete();
    for (const listener of endListeners) listener(request.variables);
  };
  return {
    start() {
      end = client.subscribe(request, { next: sink.next, error: sink.error, complete });
    },
    stop() {
      const stop = end;
      end = null;
      stop?.();
    },
  };
}
