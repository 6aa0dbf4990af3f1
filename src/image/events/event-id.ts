/**
 * Event ids: the time up to which a client knows all changes. A client that reconnects with one gets the
 * changes since then. Opaque to clients, and valid at every server of a database.
 */
export const writeEventId = (time: number) => `t${Math.floor(time).toString(36)}`;

/** @returns milliseconds since 1970; null: the text is no event id, or names a time ahead. */
export function parseEventId(text: string, now: number): number | null {
  const time = /^t[0-9a-z]{1,9}$/.test(text) ? Number.parseInt(text.slice(1), 36) : Number.NaN;
  return time > 0 && time <= now + 60_000 ? time : null;
}
