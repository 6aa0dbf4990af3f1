import { DiskError, FixativeError } from '../../errors.ts';
import { codesIn } from '../driver/errors.ts';

/** What is wrong with a disk, as far as an error tells. */
export type DiskFault = 'full' | 'read-only' | 'failing';

/**
 * Codes of the system, and of what met the same there: PostgreSQL (disk_full, io_error; Appendix A) and
 * SQLite (full, read-only, I/O error).
 */
const FAULTS: Readonly<Record<string, DiskFault>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EIO: 'failing',
  '53100': 'full',
  '58030': 'failing',
  SQLITE_13: 'full',
  SQLITE_8: 'read-only',
  SQLITE_10: 'failing',
};

/** null: the error is not one of a disk. */
export function diskFaultOf(error: unknown): DiskFault | null {
  for (const code of codesIn(error)) {
    const fault = FAULTS[code];
    if (fault) return fault;
  }
  return null;
}

/** What a client may read of a fault: no path of the server, and nothing that it could act on otherwise. */
export const DISK_WORDS: Readonly<Record<DiskFault, string>> = {
  full: 'its disk is full',
  'read-only': 'its disk is mounted read-only',
  failing: 'its disk reports errors',
};

/**
 * Returns the error that a client is told where a disk of the server failed; the cause keeps path and code
 * for the log. Returns null for any other error.
 * @param subject what needed the disk: `The server`, `The database`
 */
export function diskErrorOf(subject: string, error: unknown): DiskError | null {
  if (error instanceof FixativeError) return null;
  const fault = diskFaultOf(error);
  if (fault === null) return null;
  return new DiskError(
    fault === 'full' ? 'NO_SPACE' : 'STORE_UNAVAILABLE',
    `${subject} cannot write: ${DISK_WORDS[fault]}. Try again when its operator has put that right; the log says more.`,
    { cause: error },
  );
}
