import { InputError } from '../../errors.ts';
import { requirePolicy } from '../../image/retention/policy.ts';
import {
  MAX_SAMPLE,
  type RetentionPreview as Preview,
  previewRetention,
} from '../../image/retention/retention.ts';
import {
  describeReason,
  parseRule,
  type RetentionReason,
  type RetentionRule,
} from '../../image/retention/rule.ts';
import type { Tally } from '../../image/retention/selection.ts';
import type { PolicyResult } from '../../image/retention/work.ts';
import { builder } from '../builder/builder.ts';
import { Image } from '../image/image.ts';
import { RetentionReasonType, RetentionRuleInput, requireAllUsers, ruleInput } from './retention.ts';

type ReasonTally = Tally & { readonly rule: RetentionRule; readonly reason: RetentionReason };

export const RetentionReasonCount = builder.objectRef<ReasonTally>('RetentionReasonCount').implement({
  description: 'Number of images that go for one reason.',
  fields: (t) => ({
    reason: t.expose('reason', { type: RetentionReasonType, description: 'Limit that they are beyond.' }),
    description: t.string({
      description: 'Reason for people, such as `older than 30 days`.',
      resolve: ({ rule, reason }) => describeReason(rule, reason),
    }),
    images: t.exposeInt('images', { description: 'Number of images, without their parts.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of the images, with their parts.' }),
  }),
});

export const reasonsOf = ({
  rule,
  reasons,
}: {
  rule: RetentionRule;
  reasons: PolicyResult['reasons'];
}): ReasonTally[] => reasons.map((each) => ({ rule, ...each }));

interface PreviewedImage {
  readonly rule: RetentionRule;
  readonly chosen: Preview['sample'][number];
}

const RetentionPreviewImage = builder.objectRef<PreviewedImage>('RetentionPreviewImage').implement({
  description: 'An image that a run would put into the trash.',
  fields: (t) => ({
    image: t.field({
      type: Image,
      nullable: true,
      description: 'The image; null if it was purged meanwhile.',
      resolve: ({ chosen }, _args, { loaders }) => loaders.imageById.load(chosen.id),
    }),
    reason: t.field({
      type: RetentionReasonType,
      description: 'Limit that the image is beyond.',
      resolve: ({ chosen }) => chosen.reason,
    }),
    description: t.string({
      description: 'Reason for people, such as `beyond 1,000 images of user x, oldest first`.',
      resolve: ({ rule, chosen }) =>
        describeReason(rule, chosen.reason, rule.per === 'ALL' ? null : chosen.group),
    }),
    bytes: t.field({
      type: 'BigInt',
      description: 'Bytes of the image, with its parts.',
      resolve: ({ chosen }) => chosen.bytes,
    }),
  }),
});

const RetentionPreview = builder.objectRef<Preview>('RetentionPreview').implement({
  description: 'Images that a run of a retention policy would put into the trash now.',
  fields: (t) => ({
    scopeImages: t.int({
      description: 'Number of images that the policy is about.',
      resolve: ({ scope }) => scope.images,
    }),
    scopeBytes: t.field({
      type: 'BigInt',
      description: 'Their bytes, with their parts.',
      resolve: ({ scope }) => scope.bytes,
    }),
    images: t.exposeInt('images', { description: 'Number of images that would go, without their parts.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of these images, with their parts.' }),
    freedBytes: t.expose('freedBytes', {
      type: 'BigInt',
      nullable: true,
      description:
        'Bytes that their purge would free in each store: bytes that other images share stay. Null if more than 100,000 images would go.',
    }),
    reasons: t.field({
      type: [RetentionReasonCount],
      description: 'Images by reason; those that would go for none are left out.',
      extensions: { cost: { length: 3 } },
      resolve: ({ policy, reasons }) => reasonsOf({ rule: policy.rule, reasons }),
    }),
    maxShare: t.exposeFloat('maxShare', {
      description: 'Largest share of the images in scope that a run may take, 0 to 1.',
    }),
    stop: t.exposeString('stop', {
      nullable: true,
      description: 'Why a run would not begin, for people; null: it would.',
    }),
    sample: t.field({
      type: [RetentionPreviewImage],
      description: 'The first images that would go, oldest first; `first` says how many.',
      extensions: { cost: { length: MAX_SAMPLE } },
      resolve: ({ policy, sample }) => sample.map((chosen) => ({ rule: policy.rule, chosen })),
    }),
  }),
});

builder.queryField('previewRetention', (t) =>
  t.field({
    type: RetentionPreview,
    description:
      'Says what a run of a policy would put into the trash now, and why. It shares its selection with the run, and changes nothing. INVALID_INPUT unless exactly one of `name` and `rule` is given; NOT_FOUND for an unknown name.',
    extensions: { scope: 'admin', cost: { extra: 1000 } },
    args: {
      name: t.arg.string({ description: 'Name of a policy.' }),
      rule: t.arg({ type: RetentionRuleInput, description: 'Rule that is not saved.' }),
      first: t.arg.int({
        defaultValue: 20,
        description: `Number of images in \`sample\`, 0 to ${MAX_SAMPLE}.`,
      }),
    },
    resolve: async (_root, { name, rule, first }, { services, caller }) => {
      requireAllUsers(caller);
      if ((name == null) === (rule == null))
        throw new InputError('INVALID_INPUT', 'Give either name or rule.', { path: ['name'] });
      const policy =
        name == null
          ? { name: 'preview', rule: parseRule(ruleInput(rule ?? {}), 'The rule', ['rule']) }
          : await requirePolicy(services.database, name);
      return previewRetention(services, policy, { first: first ?? 20 });
    },
  }),
);
