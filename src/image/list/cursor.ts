import { InputError } from '../../errors.ts';
import { FIRST_TIME, isoOfMicros, LAST_TIME } from '../../time.ts';

/** Where a list goes on: behind the image that has this key in the order of the list, and this id among equals. */
export interface Cursor {
  /** A length in bytes, or a time as PostgreSQL reads it, which may also be one that no Date can hold. */
  readonly key: number | string;
  readonly id: number;
}

/** Opaque to clients: `base64url(field:key:id)`. The field is in it, so that a cursor of another order is refused. */
export function writeCursor(field: string, cursor: Cursor): string {
  return Buffer.from(`${field}:${cursor.key}:${cursor.id}`).toString('base64url');
}

/** A timestamptz as PostgreSQL writes it in UTC. */
const TIMESTAMP = /^(-?infinity|\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00( BC)?)$/;

/** @param argument the name of the argument that it was given as. @throws InputError INVALID_CURSOR */
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

/** @param given the cursors that were given, of which one or both are at fault. */
export function invalidCursor(
  field: string,
  given: { readonly after?: string | null | undefined; readonly before?: string | null | undefined },
): InputError {
  const names = (['after', 'before'] as const).filter((name) => given[name] != null);
  const cursors = names.map((name) => `${name} ${JSON.stringify(given[name]?.slice(0, 50))}`);
  return new InputError(
    'INVALID_CURSOR',
    `The cursor ${cursors.join(' or ')} is not one of a list ordered by ${field}. Begin again without one.`,
    { path: names.slice(0, 1) },
  );
}

/** An int4 in the database. */
function parseBytes(key: string): number | null {
  const bytes = /^\d{1,10}$/.test(key) ? Number(key) : Number.NaN;
  return bytes < 2 ** 31 ? bytes : null;
}

/** Version 0.1.0 wrote microseconds since 1970. */
function parseTimestamp(key: string): string | null {
  if (!/^-?\d{1,18}$/.test(key)) return TIMESTAMP.test(key) ? key : null;
  const micros = BigInt(key);
  const isInRange =
    micros >= BigInt(FIRST_TIME.getTime()) * 1000n && micros <= BigInt(LAST_TIME.getTime()) * 1000n;
  return isInRange ? isoOfMicros(micros) : null;
}
