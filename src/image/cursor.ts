import { InputError } from '../errors.ts';

/** Where a list goes on: behind the image that has this key in the order of the list, and this id among equals. */
export interface Cursor {
  readonly key: number;
  readonly id: number;
}

/** Opaque to clients: `base64url(field:key:id)`. The field is in it, so that a cursor of another order is refused. */
export function writeCursor(field: string, cursor: Cursor): string {
  return Buffer.from(`${field}:${cursor.key}:${cursor.id}`).toString('base64url');
}

/** @throws InputError INVALID_CURSOR */
export function parseCursor(field: string, text: string): Cursor {
  const match = /^([a-zA-Z]+):(-?\d{1,16}):(\d{1,16})$/.exec(
    Buffer.from(text.slice(0, 200), 'base64url').toString('latin1'),
  );
  const cursor = { key: Number(match?.[2]), id: Number(match?.[3]) };
  // Bytes are an int4 in the database, times a count of microseconds since 1970.
  const inBounds = field !== 'bytes' || (cursor.key >= 0 && cursor.key < 2 ** 31);
  if (
    match?.[1] !== field ||
    !inBounds ||
    !Number.isSafeInteger(cursor.key) ||
    !Number.isSafeInteger(cursor.id)
  ) {
    throw new InputError(
      'INVALID_CURSOR',
      `The cursor ${JSON.stringify(text.slice(0, 50))} is not one of a list ordered by ${field}. Begin again without one.`,
      { path: ['after'] },
    );
  }
  return cursor;
}
