import { type DiskFault, diskFaultOf } from '../database/pglite/disk-fault.ts';
import type { Logger } from '../log.ts';

export interface DiskHealth {
  /**
   * Notes an error of a disk. Logs at most one line a minute for each place, because a failing disk fails
   * many operations.
   */
  note(place: string, error: unknown): void;
  /** The last fault of the last minute; null: none. */
  current(): DiskFault | null;
}

const REMEMBER_MS = 60_000;

export function makeDiskHealth(log: Logger): DiskHealth {
  const loggedAt = new Map<string, number>();
  let last: { readonly fault: DiskFault; readonly at: number } | null = null;
  return {
    note(place, error) {
      const fault = diskFaultOf(error);
      if (fault === null) return;
      const at = Date.now();
      last = { fault, at };
      if (at - (loggedAt.get(place) ?? 0) < REMEMBER_MS) return;
      loggedAt.set(place, at);
      log.error(
        { err: error, place, disk: fault },
        'a disk of the server cannot be used; free space on it or replace it',
      );
    },
    current: () => (last && Date.now() - last.at < REMEMBER_MS ? last.fault : null),
  };
}
