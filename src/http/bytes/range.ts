import type { ByteRange } from '../../storage/stores/store.ts';

/**
 * Reads a Range header (RFC 9110, 14.1.2) with one range of bytes.
 * @returns the range; `null`: ignore the header (another unit, malformed, several ranges) and send
 *   everything; `'unsatisfiable'`: the range lies outside of `bytes` (416).
 */
export function parseRange(header: string | undefined, bytes: number): ByteRange | null | 'unsatisfiable' {
  const [, first, last] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return null;
  if (first === '') {
    // The last `length` bytes, or all if there are fewer.
    const length = Number(last);
    return length === 0 ? 'unsatisfiable' : { start: Math.max(0, bytes - length), end: bytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}
