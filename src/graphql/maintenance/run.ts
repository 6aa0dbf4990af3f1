import {
  listRuns,
  MAX_PROBLEMS,
  type MaintenanceProblem as Problem,
  type MaintenanceRun as Run,
} from '../../image/maintenance/run.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST, SCALAR_LIST_COST } from '../builder/costs.ts';
import { encodeId } from '../builder/global-id.ts';
import { ErrorCode } from '../user-error.ts';
import { mayNameImages } from './access.ts';

const MaintenanceKind = builder.enumType('MaintenanceKind', {
  description: 'Kind of a maintenance run.',
  values: {
    VERIFY: { description: 'Reads copies and compares their hashes. Changes no bytes.' },
    RESTORE: { description: 'Replaces missing and corrupt copies by healthy ones.' },
    RETENTION: { description: 'Puts the images that retention policies select into the trash.' },
    BULK: {
      description:
        'Changes the images of a filter: `updateImages`, `deleteImages`, `undeleteImages`, `restoreImages` or `purgeImages`.',
    },
  } as const,
});

const MaintenanceState = builder.enumType('MaintenanceState', {
  description: 'State of a maintenance run. PENDING and RUNNING runs are active; all others have ended.',
  values: {
    PENDING: { description: 'Waits for a server that executes it.' },
    RUNNING: { description: 'A server executes it.' },
    COMPLETED: { description: 'Ended by itself. It may have found problems: see `problems`.' },
    FAILED: {
      description: 'Ended by an error, or with the server that executed it: see `error` and `errorCode`.',
    },
    CANCELLED: { description: 'Cancelled by `cancelMaintenanceRun`.' },
    STOPPED: {
      description:
        'Stopped itself, because more of a store is missing than `maxMissingPercent` allows, or a retention policy would take more than its `maxShare`: see `error`.',
    },
  } as const,
});

const MaintenanceProblemState = builder.enumType('MaintenanceProblemState', {
  description: 'Kind of a problem that a maintenance run found.',
  values: {
    MISSING: { description: 'The store does not have the copy.' },
    CORRUPT: { description: 'The copy has a wrong length or hash.' },
    UNREACHABLE: { description: 'The store could not be asked for the copy.' },
    LOST: { description: 'No store has a healthy copy to restore from.' },
    FAILED: { description: 'A copy could not be restored.' },
  } as const,
});

const MaintenanceProblem = builder.objectRef<Problem>('MaintenanceProblem').implement({
  description: 'A problem that a maintenance run found.',
  fields: (t) => ({
    sha256: t.exposeString('sha256', {
      nullable: true,
      description: 'SHA-256 of the bytes; `images(filter: { sha256 })` finds their images. Null if unknown.',
    }),
    store: t.exposeString('store', {
      nullable: true,
      description: 'Name of the store (`Store.name`); null if the problem concerns no store in particular.',
    }),
    state: t.expose('state', { type: MaintenanceProblemState, description: 'Kind of the problem.' }),
    message: t.exposeString('message', { description: 'Description of the problem, for people.' }),
  }),
});

export const MaintenanceRun = builder.objectRef<Run>('MaintenanceRun').implement({
  description:
    'A run that verifies or restores copies, applies retention policies, or changes many images. Any server may execute it; its progress is on record each second.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Globally unique ID, for `cancelMaintenanceRun`, `maintenanceRunUpdated` and `node`.',
      resolve: ({ id }) => encodeId({ type: 'MaintenanceRun', key: id }),
    }),
    kind: t.expose('kind', { type: MaintenanceKind, description: 'Kind of the run.' }),
    state: t.expose('state', { type: MaintenanceState, description: 'State of the run.' }),
    stores: t.exposeStringList('stores', {
      description: 'Names of the stores that are verified, or restored into.',
      extensions: { cost: SCALAR_LIST_COST },
    }),
    filter: t.field({
      type: 'JSON',
      nullable: true,
      description:
        'Filter of the images to restore or to change, a value of the input type `ImageFilter`; null: all images, or the viewer is limited to a user and the run is not a BULK of its images.',
      resolve: (run, _args, { caller }) =>
        run.filter && mayNameImages(caller, run) ? withEnumNames(run.filter) : null,
    }),
    startedBy: t.exposeString('startedBy', {
      description: 'Name of the token that started it, `root` for the root token, or `schedule`.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the run was requested.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a server began to execute it; null while it is PENDING.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null while it is PENDING or RUNNING.',
    }),
    cancelRequestedAt: t.expose('cancelRequestedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When `cancelMaintenanceRun` was called; null if it was not.',
    }),
    total: t.exposeInt('total', {
      nullable: true,
      description:
        'Number of copies to check, or of images for a RESTORE by a filter; may be an estimate, and null while it is not known. A RESTORE without a filter first checks all copies, then adds those that it restores.',
    }),
    checked: t.exposeInt('checked', {
      description: 'Number of copies and images that were checked so far, of `total`.',
    }),
    healthy: t.exposeInt('healthy', {
      description: 'Number of copies that were found healthy; of images for a RESTORE by a filter.',
    }),
    missing: t.exposeInt('missing', { description: 'Number of copies that the store does not have.' }),
    corrupt: t.exposeInt('corrupt', { description: 'Number of copies with a wrong length or hash.' }),
    unreachable: t.exposeInt('unreachable', {
      description: 'Number of copies that could not be checked, because the store could not be asked.',
    }),
    restored: t.exposeInt('restored', { description: 'Number of copies that were restored.' }),
    failed: t.exposeInt('failed', {
      description: 'Number of copies that could not be restored; of images that a BULK could not change.',
    }),
    bytes: t.expose('bytes', {
      type: 'BigInt',
      description:
        'Bytes of the copies that were read or restored, or of the images that a RETENTION or a BULK has changed.',
    }),
  }),
});

builder.objectFields(MaintenanceRun, (t) => ({
  error: t.exposeString('error', {
    nullable: true,
    description: 'Why it is FAILED or STOPPED, for people; null otherwise.',
  }),
  errorCode: t.expose('errorCode', {
    type: ErrorCode,
    nullable: true,
    description:
      'Error code, for programs. INTERRUPTED: the server that executed it has stopped. Null if it ended without an error, or has not ended.',
  }),
  problems: t.field({
    type: [MaintenanceProblem],
    description: `The first ${MAX_PROBLEMS} problems that it found. Empty if the viewer is limited to a user, because they name images of all users.`,
    extensions: { cost: LIST_COST },
    resolve: (run, _args, { caller }) => (mayNameImages(caller, run) ? run.problems : []),
  }),
}));

/** Fields of a filter with values of enums. */
const ENUM_FIELDS = ['status', 'origin', 'visibility', 'trash', 'durability'];

/** Returns a filter with the names of enum values that GraphQL accepts. */
export function withEnumNames(filter: Record<string, unknown>): Record<string, unknown> {
  const nameOf = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(nameOf) : typeof value === 'string' ? value.toUpperCase() : value;
  return Object.fromEntries(
    Object.entries(filter).map(([field, value]) => [
      field,
      ENUM_FIELDS.includes(field) ? nameOf(value) : value,
    ]),
  );
}

builder.queryField('maintenanceRuns', (t) =>
  t.field({
    type: [MaintenanceRun],
    description: 'Returns the maintenance runs, newest first. The server keeps the newest 100 of each kind.',
    extensions: { scope: 'stores:read', cost: LIST_COST },
    args: {
      first: t.arg.int({ defaultValue: 20, description: 'Number of runs to return, 0 to 100.' }),
    },
    resolve: (_root, { first }, { services }) => listRuns(services.database, first ?? 20),
  }),
);
