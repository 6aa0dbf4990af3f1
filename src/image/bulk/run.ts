/** Changes of all images that a filter selects: runs of the kind BULK, which bulk/work.ts executes. */
import type { Actor } from '../../audit/actor.ts';
import { InputError } from '../../errors.ts';
import type { ImageFilter } from '../list/conditions.ts';
import {
  type MaintenanceDeps,
  type MaintenanceQueue,
  type MaintenanceRun,
  recordRun,
} from '../maintenance/run.ts';
import { requireStores } from '../restore.ts';
import { requireChanges } from '../update.ts';
import type { BulkChange } from './change.ts';

/** Option `bulk` of a run. */
export interface BulkOrder {
  readonly change: BulkChange;
  readonly dryRun: boolean;
  /** User whose images the caller may see; null: every user's. The filter is limited to them. */
  readonly visibleTo: string | null;
  /** Actor for the audit log. */
  readonly actor: Actor;
}

export interface BulkRequest extends Omit<BulkOrder, 'actor'> {
  /** Filter that is limited to the images that the caller may see. */
  readonly filter: ImageFilter;
  readonly actor: Actor;
}

/** Returns the order of a run of the kind BULK; null for other kinds. */
export const orderOf = ({ kind, options }: Pick<MaintenanceRun, 'kind' | 'options'>): BulkOrder | null =>
  kind === 'BULK' ? (options.bulk as BulkOrder) : null;

/** @throws InputError INVALID_INPUT for a change that no image could have. */
export function requireChange({ storage }: Pick<MaintenanceDeps, 'storage'>, change: BulkChange): void {
  if (change.verb === 'UPDATE') requireChanges(change.changes);
  if (change.verb === 'RESTORE') requireStores(storage, change.stores ?? [], ['input', 'stores']);
}

/**
 * Records a run that changes the images of a filter.
 * @throws InputError INVALID_INPUT; LIMIT_REACHED while too many such runs are active.
 */
export async function startBulk(
  deps: MaintenanceDeps,
  { filter, change, dryRun, visibleTo, actor: { kind, name } }: BulkRequest,
  push: MaintenanceQueue['push'],
): Promise<MaintenanceRun> {
  requireChange(deps, change);
  const { userId: _user, ...conditions } = filter;
  if (change.verb === 'PURGE' && Object.values(conditions).every((value) => value == null)) {
    const message =
      'The filter has no condition, so every image would be purged. Name one: { trash: ONLY } empties the trash.';
    throw new InputError('INVALID_INPUT', message, { path: ['input', 'filter'] });
  }
  const bulk: BulkOrder = { change, dryRun, visibleTo, actor: { kind, name } };
  return recordRun(deps, { kind: 'BULK', filter, options: { bulk }, startedBy: name }, push);
}
