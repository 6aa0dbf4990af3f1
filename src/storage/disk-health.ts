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
  /** The last fault of one place in the last minute; null: none. */
  faultOf(place: string): DiskFault | null;
}

const REMEMBER_MS = 60_000;

export function makeDiskHealth(log: Logger): DiskHealth {
  const loggedAt = new Map<string, number>();
  const faults = new Map<string, { readonly fault: DiskFault; readonly at: number }>();
  const recent = (place: string) => {
    const last = faults.get(place);
    return last && Date.now() - last.at < REMEMBER_MS ? last : null;
  };
  return {
    note(place, error) {
      const fault = diskFaultOf(error);
      if (fault === null) return;
      const at = Date.now();
      // Deleted first, so that the last one stands at the end.
      faults.delete(place);
      faults.set(place, { fault, at });
      if (at - (loggedAt.get(place) ?? 0) < REMEMBER_MS) return;
      loggedAt.set(place, at);
      log.error(
        { err: error, place, disk: fault },
        'a disk of the server cannot be used; free space on it or replace it',
      );
    },
    current: () => recent([...faults.keys()].at(-1) ?? '')?.fault ?? null,
    faultOf: (place) => recent(place)?.fault ?? null,
  };
}
