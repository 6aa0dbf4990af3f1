import { visibleFilter } from '../../auth/authorization.ts';
import { cancelRun, type RunRequest, recordRun } from '../../image/maintenance/run.ts';
import type { InputFields } from '../builder/builder.ts';
import type { Services } from '../context.ts';
import { WHICH_IMAGES } from '../image/image-filter.ts';
import { mutation } from '../mutations/mutation.ts';
import { requireCancel } from './access.ts';
import { parseRunId } from './run-id.ts';
import { ACTIVE_RUN, runPayload, startRun } from './start.ts';

const maxMissingPercent = (t: InputFields) =>
  t.int({
    description:
      'Stop the run when more than this percentage of the copies in a store is missing, 0 to 100. Default: 10.',
  });

const start = (services: Services, request: RunRequest) =>
  startRun(() => recordRun(services, request, services.maintenanceQueue.push));

mutation({
  name: 'startVerify',
  scope: 'admin',
  description: `Starts a run that reads copies and compares their hashes, those first that were verified longest ago. Bad copies are repaired in the background. ${ACTIVE_RUN}`,
  input: {
    description: 'Copies to verify. A run ends when the first of its limits is reached.',
    fields: (t) => ({
      stores: t.stringList({ description: 'Names of the stores to verify. Default: all stores.' }),
      deep: t.boolean({
        defaultValue: true,
        description: 'Whether to read all bytes; false: only check that each copy exists and has its length.',
      }),
      limit: t.int({ description: 'Most copies to check. Default: no limit.' }),
      seconds: t.int({ description: 'Seconds after which the run ends. Default: no limit.' }),
      percent: t.int({ description: 'Most copies to check, in percent of all, 1 to 100. Default: 100.' }),
      maxMissingPercent: maxMissingPercent(t),
    }),
  },
  payload: runPayload('startVerify'),
  resolve: ({ stores, ...options }, { services, caller }) =>
    start(services, { kind: 'VERIFY', stores, options: withoutNulls(options), startedBy: caller.name }),
});

mutation({
  name: 'startRestore',
  scope: 'admin',
  description: `Starts a run that restores copies. With a filter, it restores each image as \`restoreImage\` does. Without one, it checks that all copies exist, then restores those that are missing or corrupt, also into a store that was added today. ${ACTIVE_RUN}`,
  input: {
    description: 'Images to restore, and in which stores.',
    fields: (t) => ({
      filter: t.field({
        ...WHICH_IMAGES,
        description: 'Which images to restore, as in `images`. Default: all images, with those in the trash.',
      }),
      stores: t.stringList({ description: 'Names of the stores to restore into. Default: all stores.' }),
      maxMissingPercent: maxMissingPercent(t),
    }),
  },
  payload: runPayload('startRestore'),
  resolve({ stores, filter, ...options }, { services, caller }) {
    const which = filter ? visibleFilter(caller, filter) : null;
    const rest = { stores, filter: which, options: withoutNulls(options), startedBy: caller.name };
    return start(services, { kind: 'RESTORE', ...rest });
  },
});

mutation({
  name: 'cancelMaintenanceRun',
  scope: 'images:write',
  description:
    'Cancels a run: at once while it is PENDING, within about a second while it is RUNNING, whichever server executes it. What it has checked and restored stays. A run that is CANCELLED stays so; CONFLICT for a run that has ended otherwise. Only an admin can cancel every run; other callers can cancel a BULK of images that they may all see.',
  input: {
    description: 'The run to cancel.',
    fields: (t) => ({
      id: t.id({
        required: true,
        description: 'ID of the run (`MaintenanceRun.id`). INVALID_ID for anything else.',
      }),
    }),
  },
  payload: runPayload('cancelMaintenanceRun'),
  async resolve({ id }, { services, caller, loaders }) {
    const runId = parseRunId(String(id), ['input', 'id']);
    requireCancel(caller, await loaders.maintenanceRunById.load(runId));
    return { run: await cancelRun(services, runId) };
  },
});

type WithoutNulls<Given> = { [Name in keyof Given]?: NonNullable<Given[Name]> };

/** Returns the fields that the client has sent. */
function withoutNulls<Given extends object>(given: Given): WithoutNulls<Given> {
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value != null),
  ) as WithoutNulls<Given>;
}
