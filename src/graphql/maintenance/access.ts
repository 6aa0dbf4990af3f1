import { allows, requireScope, visibleTo } from '../../auth/authorization.ts';
import type { Caller } from '../../auth/caller.ts';
import { orderOf } from '../../image/bulk/run.ts';
import type { MaintenanceRun } from '../../image/maintenance/run.ts';

/** Returns whether a run is a bulk change of images that the caller may all see. */
function isOwn(caller: Caller, run: MaintenanceRun): boolean {
  const order = orderOf(run);
  const userId = visibleTo(caller);
  return order !== null && (userId === null || order.visibleTo === userId);
}

/** Returns whether the caller may know of a run and its progress. */
export const maySeeRun = (caller: Caller, run: MaintenanceRun): boolean =>
  allows(caller, 'stores:read') || (allows(caller, 'images:read') && isOwn(caller, run));

/**
 * Returns whether the caller may learn of the images of a run: it may see those of every user, or the run is
 * a bulk change of its own.
 */
export const mayNameImages = (caller: Caller, run: MaintenanceRun): boolean =>
  visibleTo(caller) === null || isOwn(caller, run);

/** @throws FixativeError FORBIDDEN. An admin may cancel every run; others a bulk change of their own. */
export function requireCancel(caller: Caller, run: MaintenanceRun | null): void {
  if (!run || !isOwn(caller, run)) requireScope(caller, 'admin');
}
