import {
  createPolicy,
  deletePolicy,
  type RetentionPolicy as Policy,
  updatePolicy,
} from '../../image/retention/policy.ts';
import { startRetention } from '../../image/retention/retention.ts';
import { mutation, type PayloadOptions } from '../mutations/mutation.ts';
import { RetentionPolicy, requireAllUsers, ruleFields, ruleInput } from './retention.ts';
import { ACTIVE_RUN, runPayload, startRun } from './start.ts';

const payload = (name: string): PayloadOptions<{ policy: Policy | null }> => ({
  description: `Payload of \`${name}\`.`,
  empty: { policy: null },
  fields: (t) => ({
    policy: t.expose('policy', {
      type: RetentionPolicy,
      nullable: true,
      description: 'The policy; null if the mutation failed and `userErrors` says why.',
    }),
  }),
});

const READ_ONLY = 'CONFLICT for a policy of RETENTION_FILE.';

mutation({
  name: 'createRetentionPolicy',
  scope: 'admin',
  description:
    'Creates a retention policy. Nothing goes to the trash before a run: see `previewRetention` and `runRetention`. CONFLICT if the name is taken; LIMIT_REACHED beyond 100 policies.',
  input: {
    description: 'A retention policy. It needs one or more of `maxAgeDays`, `maxCount` and `maxBytes`.',
    fields: (t) => ({
      name: t.string({
        required: true,
        description: 'Name of the policy: up to 60 letters, digits, dots, hyphens and underscores.',
      }),
      enabled: t.boolean({
        defaultValue: true,
        description: 'Whether runs of all policies include it.',
      }),
      ...ruleFields(t),
    }),
  },
  payload: payload('createRetentionPolicy'),
  async resolve({ name, enabled, ...rule }, { services, caller }) {
    requireAllUsers(caller);
    const given = { name, enabled: enabled ?? true, rule: ruleInput(rule) };
    return { policy: await createPolicy(services, given) };
  },
});

mutation({
  name: 'updateRetentionPolicy',
  scope: 'admin',
  description: `Changes a retention policy. ${READ_ONLY}`,
  input: {
    description:
      'Changes to a retention policy. Fields that are left out keep their values; null removes a limit.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'Name of the policy. It cannot be changed.' }),
      enabled: t.boolean({ description: 'Whether runs of all policies include it; null changes nothing.' }),
      ...ruleFields(t),
    }),
  },
  payload: payload('updateRetentionPolicy'),
  async resolve({ name, enabled, ...rule }, { services, caller }) {
    requireAllUsers(caller);
    const changes = { enabled: enabled ?? undefined, rule: ruleInput(rule) };
    return { policy: await updatePolicy(services, name, changes) };
  },
});

mutation({
  name: 'deleteRetentionPolicy',
  scope: 'admin',
  description: `Deletes a retention policy. Images in the trash stay there. ${READ_ONLY}`,
  input: {
    description: 'The policy to delete.',
    fields: (t) => ({ name: t.string({ required: true, description: 'Name of the policy.' }) }),
  },
  payload: payload('deleteRetentionPolicy'),
  async resolve({ name }, { services, caller }) {
    requireAllUsers(caller);
    return { policy: await deletePolicy(services, name) };
  },
});

mutation({
  name: 'runRetention',
  scope: 'admin',
  description: `Starts a run that puts the images that a policy selects into the trash, from where they are purged TRASH_DAYS later. STOPPED if the policy would take more than its share: preview it, then set \`maxShare\`. ${ACTIVE_RUN}`,
  input: {
    description: 'Policy to run.',
    fields: (t) => ({
      name: t.string({
        description: 'Name of the policy, which may be disabled. Default: all enabled policies.',
      }),
      maxShare: t.float({
        description:
          'Share of the images in scope that this run may take, 0 to 1, in place of those of the policies.',
      }),
    }),
  },
  payload: runPayload('runRetention'),
  async resolve({ name, maxShare }, { services, caller }) {
    requireAllUsers(caller);
    const asked = { name: name ?? null, maxShare: maxShare ?? null, startedBy: caller.name };
    return startRun(() => startRetention(services, asked, services.maintenanceQueue.push));
  },
});
