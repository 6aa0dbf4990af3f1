/**
 * Ids of events: up to when a client was told what has changed. A client that comes again with one is told what has changed since. Opaque to
 * clients, and good at every server of a database.
 */
export const writeEventId = (time: number) => `t${Math.floor(time).toString(36)}`;

/** @returns milliseconds since 1970; null for what is none, or lies ahead. */
export function parseEventId(text: string, now: number): number | null {
  const time = /^t[0-9a-z]{1,9}$/.test(text) ? Number.parseInt(text.slice(1), 36) : Number.NaN;
  return time > 0 && time <= now + 60_000 ? time : null;
}
