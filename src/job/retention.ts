import type { Logger } from 'pino';
import { FixativeError } from '../errors.ts';
import { ActiveRunError, type MaintenanceQueue } from '../image/maintenance/run.ts';
import { listPolicies } from '../image/retention/policy.ts';
import { type RetentionDeps, startRetention } from '../image/retention/retention.ts';

/** Starts a scheduled run of all enabled policies. It is skipped while another run is active. */
export async function startScheduledRetention(
  deps: RetentionDeps & { readonly maintenanceQueue: MaintenanceQueue; readonly log: Logger },
): Promise<void> {
  const isAsked = (await listPolicies(deps.database)).some(({ enabled }) => enabled);
  if (!isAsked) return;
  try {
    await startRetention(
      deps,
      { name: null, maxShare: null, startedBy: 'schedule' },
      deps.maintenanceQueue.push,
    );
  } catch (error) {
    if (!(error instanceof FixativeError) || error.code !== 'CONFLICT') throw error;
    const run = error instanceof ActiveRunError ? error.runId : null;
    deps.log.info({ run }, 'skipped a scheduled retention: another one is active');
  }
}
