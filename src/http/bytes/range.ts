import type { ByteRange } from '../../storage/stores/store.ts';

/**
 * Reads a Range header (RFC 9110, 14.1.2) of one range of bytes.
 * @returns the range; `null` where the header is to be ignored (another unit, malformed, several ranges) and the whole is sent;
 *   `'unsatisfiable'` where nothing of it lies within `bytes` (416).
 */
export function parseRange(header: string | undefined, bytes: number): ByteRange | null | 'unsatisfiable' {
  const [, first, last] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return null;
  if (first === '') {
    // The last so many bytes; all of them when there are not as many.
    const length = Number(last);
    return length === 0 ? 'unsatisfiable' : { start: Math.max(0, bytes - length), end: bytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}
