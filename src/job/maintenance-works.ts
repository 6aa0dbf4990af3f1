import { bulkWork } from '../image/bulk/work.ts';
import type { MaintenanceWorks } from '../image/maintenance/execute.ts';
import { restoreWork } from '../image/maintenance/restore-work.ts';
import { verifyWork } from '../image/maintenance/verify-work.ts';
import { makeRetentionWork } from '../image/retention/work.ts';

/** Settings of the works. */
export type WorkSettings = Parameters<typeof makeRetentionWork>[0];

/**
 * Returns the work of each kind of runs. A new kind needs its traits in MAINTENANCE_KINDS and its work here.
 */
export const makeMaintenanceWorks = (settings: WorkSettings): MaintenanceWorks => ({
  VERIFY: verifyWork,
  RESTORE: restoreWork,
  RETENTION: makeRetentionWork(settings),
  BULK: bulkWork,
});
