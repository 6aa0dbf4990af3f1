import type { Config } from '../config.ts';
import { DISK_WORDS, diskFaultOf } from '../database/pglite/disk-fault.ts';
import { FixativeError } from '../errors.ts';

/** Explains a disk fault that stopped a start. The error of the system names a file at best. */
export function startErrorOf({ dataDirectory }: Config, error: unknown): unknown {
  const fault = error instanceof FixativeError ? null : diskFaultOf(error);
  if (fault === null) return error;
  return new FixativeError(
    fault === 'full' ? 'NO_SPACE' : 'STORE_UNAVAILABLE',
    `Cannot start in DATA_DIR (${dataDirectory}): ${DISK_WORDS[fault]} (${(error as Error).message}). Repair the disk or free space, and start again. The data in it is not damaged by this.`,
    { cause: error },
  );
}
