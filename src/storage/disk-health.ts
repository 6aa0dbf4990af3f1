import { type DiskFault, diskFaultOf } from '../database/pglite/disk-fault.ts';
import type { Logger } from '../log.ts';

export interface DiskHealth {
  /** Notes what a disk of the server refused. One that fails fails many at once, so the log has one line a minute of each place. */
  note(place: string, error: unknown): void;
  /** What was noted in the last minute; null: nothing. */
  current(): DiskFault | null;
}

const REMEMBER_MS = 60_000;

export function makeDiskHealth(log: Logger): DiskHealth {
  const said = new Map<string, number>();
  let last: { readonly fault: DiskFault; readonly at: number } | null = null;
  return {
    note(place, error) {
      const fault = diskFaultOf(error);
      if (fault === null) return;
      const at = Date.now();
      last = { fault, at };
      if (at - (said.get(place) ?? 0) < REMEMBER_MS) return;
      said.set(place, at);
      log.error({ err: error, place, disk: fault }, 'a disk of the server cannot be used');
    },
    current: () => (last && Date.now() - last.at < REMEMBER_MS ? last.fault : null),
  };
}
