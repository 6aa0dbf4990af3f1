import { watchRun } from '../../image/maintenance/watch.ts';
import { builder } from '../builder/builder.ts';
import { whileAuthorized } from '../builder/while-authorized.ts';
import { MaintenanceRun } from './run.ts';
import { parseRunId } from './run-id.ts';

builder.subscriptionField('maintenanceRunUpdated', (t) =>
  t.field({
    type: MaintenanceRun,
    description:
      'Sends a maintenance run when the subscription starts, and again after each change, at most twice a second, whichever server executes it. Completes after the event with which the run has ended.',
    extensions: { scope: 'stores:read' },
    args: {
      id: t.arg.id({
        required: true,
        description:
          'ID of the run (`MaintenanceRun.id`). INVALID_ID for anything else. NOT_FOUND if it does not exist.',
      }),
    },
    subscribe: (_root, { id }, context) =>
      whileAuthorized(context, watchRun(context.services, parseRunId(String(id), ['id']))),
    resolve: (run, _args, { loaders }) => {
      loaders.clear();
      return run;
    },
  }),
);
