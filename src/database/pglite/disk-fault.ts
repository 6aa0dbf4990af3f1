import { DiskError, FixativeError } from '../../errors.ts';
import { codesIn } from '../driver/errors.ts';

/** Cause of a disk error. */
export type DiskFault = 'full' | 'read-only' | 'failing';

/**
 * Error codes of the system, of PostgreSQL (disk_full, io_error; Appendix A) and of SQLite (full, read-only,
 * I/O error).
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

/** Returns the cause of a disk error; null for any other error. */
export function diskFaultOf(error: unknown): DiskFault | null {
  for (const code of codesIn(error)) {
    const fault = FAULTS[code];
    if (fault) return fault;
  }
  return null;
}

/** Descriptions of disk errors for clients, without paths of the server. */
export const DISK_WORDS: Readonly<Record<DiskFault, string>> = {
  full: 'its disk is full',
  'read-only': 'its disk is mounted read-only',
  failing: 'its disk reports errors',
};

/**
 * Returns the error for clients when a disk of the server failed; null for any other error. Its cause keeps
 * path and code for the log.
 * @param subject what needed the disk: `The server`, `The database`
 */
export function diskErrorOf(subject: string, error: unknown): DiskError | null {
  if (error instanceof FixativeError) return null;
  const fault = diskFaultOf(error);
  if (fault === null) return null;
  return new DiskError(
    fault === 'full' ? 'NO_SPACE' : 'STORE_UNAVAILABLE',
    `${subject} cannot write: ${DISK_WORDS[fault]}. Try again later. The operator must fix the disk; see the log of the server.`,
    { cause: error },
  );
}
