import { ActiveRunError, type MaintenanceRun as Run } from '../../image/maintenance/run.ts';
import { encodeId } from '../builder/global-id.ts';
import type { PayloadOptions } from '../mutations/mutation.ts';
import { MaintenanceRun } from './run.ts';

/** Returns the payload of a mutation of one run. */
export const runPayload = (name: string): PayloadOptions<{ run: Run | null }> => ({
  description: `Payload of \`${name}\`.`,
  empty: { run: null },
  fields: (t) => ({
    run: t.expose('run', {
      type: MaintenanceRun,
      nullable: true,
      description: 'The run; null if the mutation failed and `userErrors` says why.',
    }),
  }),
});

/** Sentence of the descriptions of mutations that start a run. */
export const ACTIVE_RUN = 'CONFLICT with the ID of the other run while another run of this kind is active.';

/** Starts a run. @throws ActiveRunError with the global id of the other run, as clients need it. */
export async function startRun(start: () => Promise<Run>): Promise<{ run: Run }> {
  try {
    return { run: await start() };
  } catch (error) {
    if (!(error instanceof ActiveRunError)) throw error;
    throw new ActiveRunError(error.kind, encodeId({ type: 'MaintenanceRun', key: error.runId }));
  }
}
