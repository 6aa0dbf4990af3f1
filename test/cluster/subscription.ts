import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { CRASH_TOKEN } from '../crash/client.ts';

const QUERY = 'subscription { imagesUpdated { id } }';
/** EventSource reconnects after this pause. */
const RECONNECT_MS = 500;

/** A client that follows all images and reconnects as EventSource does, with `Last-Event-ID`. */
export interface Follower {
  /** Ids of the images that were sent. */
  readonly ids: ReadonlySet<string>;
  /** How often the stream ended, and how often it was open again. */
  readonly ended: () => number;
  readonly resumed: () => number;
  readonly isOpen: () => boolean;
  close(): void;
}

export function followImages(url: URL, isStopped: () => boolean): Follower {
  const ids = new Set<string>();
  const closing = new AbortController();
  let lastEventId: string | null = null;
  let [opened, ended, isOpen] = [0, 0, false];

  async function read(): Promise<void> {
    const response = await fetch(new URL('/graphql', url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${CRASH_TOKEN}`,
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...(lastEventId ? { 'last-event-id': lastEventId } : {}),
      },
      body: JSON.stringify({ query: QUERY }),
      signal: closing.signal,
    });
    if (response.status !== 200 || !response.body) return;
    opened++;
    isOpen = true;
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      const lines = (text + decoder.decode(chunk, { stream: true })).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('id:')) lastEventId = line.slice(3).trim();
        for (const [, id] of line.matchAll(/"imagesUpdated":\{"id":"([^"]+)"/g)) ids.add(id as string);
      }
    }
  }

  async function follow(): Promise<void> {
    while (!isStopped()) {
      await read().catch(() => {});
      if (isOpen) ended++;
      isOpen = false;
      await sleep(RECONNECT_MS);
    }
  }
  void follow();
  return {
    ids,
    ended: () => ended,
    resumed: () => Math.max(opened - 1, 0),
    isOpen: () => isOpen,
    close: () => closing.abort(),
  };
}
