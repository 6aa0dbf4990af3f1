import { InputError } from '../../errors.ts';
import { FIRST_TIME, formatMicros, LAST_TIME } from '../../time.ts';

/**
 * Position in a list: after the image with this key in the order of the list, and this id among equal keys.
 */
export interface Cursor {
  /** Size in bytes, or a time as PostgreSQL writes it, which a Date may not be able to hold. */
  readonly key: number | string;
  readonly id: number;
}

/**
 * Returns the cursor `base64url(field:key:id)`, opaque to clients. By its field, a cursor of another order is
 * rejected.
 */
export function writeCursor(field: string, cursor: Cursor): string {
  return Buffer.from(`${field}:${cursor.key}:${cursor.id}`).toString('base64url');
}

/** Matches a timestamptz as PostgreSQL writes it in UTC. */
const TIMESTAMP = /^(-?infinity|\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00( BC)?)$/;

/** Reads a cursor. @param argument name of its argument. @throws InputError INVALID_CURSOR */
export function parseCursor(field: string, text: string, argument: 'after' | 'before'): Cursor {
  const [, of, key = '', id] =
    /^([a-zA-Z]+):(.{1,40}):(\d{1,16})$/.exec(
      Buffer.from(text.slice(0, 200), 'base64url').toString('latin1'),
    ) ?? [];
  const parsed = field === 'bytes' ? parseBytes(key) : parseTimestamp(key);
  if (of !== field || parsed === null || !Number.isSafeInteger(Number(id)))
    throw invalidCursor(field, { [argument]: text });
  return { key: parsed, id: Number(id) };
}

/** Returns the error for cursors of which one or both are wrong. @param given the cursors of the request. */
export function invalidCursor(
  field: string,
  given: { readonly after?: string | null | undefined; readonly before?: string | null | undefined },
): InputError {
  const names = (['after', 'before'] as const).filter((name) => given[name] != null);
  const cursors = names.map((name) => `${name} ${JSON.stringify(given[name]?.slice(0, 50))}`);
  return new InputError(
    'INVALID_CURSOR',
    `The cursor ${cursors.join(' or ')} does not belong to a list ordered by ${field}. Begin again without a cursor.`,
    { path: names.slice(0, 1) },
  );
}

/** Reads a key of the order by size, an int4 in the database. */
function parseBytes(key: string): number | null {
  const bytes = /^\d{1,10}$/.test(key) ? Number(key) : Number.NaN;
  return bytes < 2 ** 31 ? bytes : null;
}

/** Reads a key of the order by time. Cursors of version 0.1.0 have microseconds since 1970. */
function parseTimestamp(key: string): string | null {
  if (!/^-?\d{1,18}$/.test(key)) return TIMESTAMP.test(key) ? key : null;
  const micros = BigInt(key);
  const isInRange =
    micros >= BigInt(FIRST_TIME.getTime()) * 1000n && micros <= BigInt(LAST_TIME.getTime()) * 1000n;
  return isInRange ? formatMicros(micros) : null;
}
