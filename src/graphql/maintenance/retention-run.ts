import type { PolicyResult, RetentionResult } from '../../image/retention/work.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { mayNameImages } from './access.ts';
import { RetentionReasonCount, reasonsOf } from './retention-preview.ts';
import { MaintenanceRun, withEnumNames } from './run.ts';

const RetentionPolicyRecord = builder.objectRef<PolicyResult>('RetentionPolicyRecord').implement({
  description: 'A policy of a run as it was, and what it selected.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the policy.' }),
    rule: t.field({
      type: 'JSON',
      description: 'Rule of the policy at the time of the run, with the fields of `RetentionRuleInput`.',
      resolve: ({ rule }) => ({ ...rule, images: rule.images ? withEnumNames(rule.images) : null }),
    }),
    scopeImages: t.int({
      description: 'Number of images that the policy was about.',
      resolve: ({ scope }) => scope.images,
    }),
    images: t.exposeInt('images', { description: 'Number of images that it selected.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of these images, with their parts.' }),
    reasons: t.field({
      type: [RetentionReasonCount],
      description: 'Selected images by reason.',
      extensions: { cost: { length: 3 } },
      resolve: reasonsOf,
    }),
    stop: t.exposeString('stop', {
      nullable: true,
      description: 'Why nothing of it was put into the trash, for people; null: it began.',
    }),
  }),
});

const RetentionRecord = builder.objectRef<RetentionResult>('RetentionRecord').implement({
  description: 'Record of a run of retention.',
  fields: (t) => ({
    selectedAt: t.field({
      type: 'DateTime',
      description: 'When the images were selected. Images that came or changed later stayed.',
      resolve: ({ selectedAt }) => new Date(selectedAt),
    }),
    policies: t.field({
      type: [RetentionPolicyRecord],
      description: 'Policies of the run. An image that several select counts for each.',
      extensions: { cost: LIST_COST },
      resolve: ({ policies }) => [...policies],
    }),
  }),
});

builder.objectFields(MaintenanceRun, (t) => ({
  changed: t.exposeInt('changed', {
    description:
      'Number of images that a RETENTION has put into the trash, without their parts, or that a BULK has changed.',
  }),
  skipped: t.exposeInt('skipped', {
    description:
      'Number of images that a RETENTION or a BULK had selected and left as they are, because they were pinned, changed meanwhile, or as wanted already.',
  }),
  retention: t.field({
    type: RetentionRecord,
    nullable: true,
    description:
      'Record of a RETENTION, once it has selected its images; null before that, for other kinds, and if the viewer is limited to a user.',
    resolve: (run, _args, { caller }) =>
      run.kind === 'RETENTION' && mayNameImages(caller, run) ? (run.result as RetentionResult | null) : null,
  }),
}));
