import { createClient } from 'graphql-sse';
import type { SubscriptionOperation } from 'urql';
import { addressOf } from './address.ts';
import { HEADERS } from './headers.ts';

type Listener = () => void;
const listeners = new Set<Listener>();

/** Calls `listener` after each reconnection: changes may have been missed. Returns a function to stop it. */
export function onReconnect(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

type Variables = Readonly<Record<string, unknown>>;
type EndListener = (variables: Variables) => void;
const endListeners = new Set<EndListener>();

/** Calls `listener` with the variables of each subscription that the server ends. Returns how to stop that. */
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

/** Starts a subscription for urql. */
export const forwardSubscription = ({ query, variables }: SubscriptionOperation) => ({
  subscribe(sink: EventSink) {
    let isUnsubscribed = false;
    const complete = () => {
      // graphql-sse completes a subscription too that this page has ended. urql then unsubscribes.
      const isEnded = !isUnsubscribed;
      sink.complete();
      if (isEnded) for (const listener of endListeners) listener(variables ?? {});
    };
    const request = { query: query ?? '', variables: variables ?? {} };
    const end = client.subscribe(request, { next: sink.next, error: sink.error, complete });
    return {
      unsubscribe() {
        isUnsubscribed = true;
        end();
      },
    };
  },
});
