import type { Logger } from 'pino';
import {
  ActiveRunError,
  type MaintenanceDeps,
  type MaintenanceQueue,
  recordRun,
} from '../image/maintenance/run.ts';

/**
 * Starts a scheduled `verify`, with limits on time and bandwidth, as a run that clients can watch and cancel.
 * It is skipped while another verify is active. The repairer repairs what it finds.
 */
export async function startScheduledVerify(
  deps: MaintenanceDeps & { readonly maintenanceQueue: MaintenanceQueue; readonly log: Logger },
  limits: { readonly seconds: number; readonly maxBytesPerSecond: number },
): Promise<void> {
  try {
    const options = { deep: true, ...limits };
    await recordRun(deps, { kind: 'VERIFY', options, startedBy: 'schedule' }, deps.maintenanceQueue.push);
  } catch (error) {
    if (!(error instanceof ActiveRunError)) throw error;
    deps.log.info({ run: error.runId }, 'skipped a scheduled verify: another one is active');
  }
}
