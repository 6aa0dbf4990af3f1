import type { MaintenanceWorks } from '../image/maintenance/execute.ts';
import { restoreWork } from '../image/maintenance/restore-work.ts';
import { verifyWork } from '../image/maintenance/verify-work.ts';

/** Work of each kind of runs. A new kind needs its traits in MAINTENANCE_KINDS and its work here. */
export const MAINTENANCE_WORKS: MaintenanceWorks = {
  VERIFY: verifyWork,
  RESTORE: restoreWork,
};
