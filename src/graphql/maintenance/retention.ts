import { visibleTo } from '../../auth/authorization.ts';
import type { Caller } from '../../auth/caller.ts';
import { FixativeError, InputError } from '../../errors.ts';
import { listPolicies, type RetentionPolicy as Policy, requirePolicy } from '../../image/retention/policy.ts';
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
import { builder, type InputFields } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { Image } from '../image/image.ts';
import { WHICH_IMAGES } from '../image/image-filter.ts';
import { withEnumNames } from './run.ts';

const RetentionAge = builder.enumType('RetentionAge', {
  description: 'Time from which the age of an image is counted.',
  values: {
    CREATED: { description: '`Image.createdAt`.' },
    UPDATED: { description: '`Image.updatedAt`: any change of the image makes it young again.' },
  } as const,
});

const RetentionGroup = builder.enumType('RetentionGroup', {
  description: 'Group of images that limits of a retention policy apply to.',
  values: {
    ALL: { description: 'All images that the policy selects.' },
    USER: { description: 'The images of each user.' },
    TOOL: { description: 'The images of each tool.' },
  } as const,
});

const RetentionReasonType = builder.enumType('RetentionReason', {
  description: 'Limit of a retention policy that an image is beyond; the first that applies.',
  values: {
    AGE: { description: '`maxAgeDays`.' },
    COUNT: { description: '`maxCount`.' },
    BYTES: { description: '`maxBytes`.' },
  } as const,
});

const RetentionSource = builder.enumType('RetentionSource', {
  description: 'Where a retention policy is from.',
  values: {
    DATABASE: { description: 'Made by `createRetentionPolicy`.' },
    FILE: { description: 'Read from RETENTION_FILE (a server setting) at the start; read-only.' },
  } as const,
});

const RULE_FIELDS = {
  images: 'Which images the policy is about; null: all. Images that are being generated are left out.',
  maxAgeDays: 'Days after which an image goes, 1 to 36,500. Default: no limit.',
  maxCount: 'Most images of each group; the oldest go. Pinned images count. Default: no limit.',
  maxBytes:
    'Most bytes of the images of each group, with their parts; the oldest go. Pinned images count, and bytes that images share count for each. Default: no limit.',
  keepNewest: 'Newest images of each group that never go, whatever the limits. Default: none.',
  maxShare:
    'Largest share of the selected images that a run may put into the trash, 0 to 1; beyond it the policy does not begin. Default: RETENTION_MAX_SHARE (a server setting).',
} as const;

/** Fields of a rule as a client sends them. */
export const ruleFields = (t: InputFields) => ({
  images: t.field({ ...WHICH_IMAGES, description: RULE_FIELDS.images }),
  maxAgeDays: t.int({ description: RULE_FIELDS.maxAgeDays }),
  ageOf: t.field({ type: RetentionAge, description: 'Time that the age is counted from. Default: CREATED.' }),
  maxCount: t.int({ description: RULE_FIELDS.maxCount }),
  maxBytes: t.field({ type: 'BigInt', description: RULE_FIELDS.maxBytes }),
  per: t.field({
    type: RetentionGroup,
    description: 'Group that `maxCount`, `maxBytes` and `keepNewest` apply to. Default: ALL.',
  }),
  keepNewest: t.int({ description: RULE_FIELDS.keepNewest }),
  maxShare: t.float({ description: RULE_FIELDS.maxShare }),
});

/**
 * Returns the rule as parseRule reads it. A BigInt becomes a number. Enum fields with the value null get
 * their defaults.
 */
export function ruleInput(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { maxBytes, ageOf, per, ...rest } = given;
  const bytes = maxBytes == null ? maxBytes : Number(maxBytes);
  // Times of the filter as text, as they are stored.
  const images = rest.images == null ? rest.images : JSON.parse(JSON.stringify(rest.images));
  return {
    ...rest,
    images,
    maxBytes: bytes,
    ageOf: ageOf === null ? 'CREATED' : ageOf,
    per: per === null ? 'ALL' : per,
  };
}

const RetentionRuleInput = builder.inputType('RetentionRuleInput', {
  description: 'Rule of a retention policy. It needs one or more of `maxAgeDays`, `maxCount` and `maxBytes`.',
  fields: ruleFields,
});

/** @throws FixativeError FORBIDDEN for a token of one user: a policy is about the images of all. */
export function requireAllUsers(caller: Caller): void {
  if (visibleTo(caller) === null) return;
  throw new FixativeError(
    'FORBIDDEN',
    'The token is limited to one user, and retention is about the images of all users. Use a token without a user.',
  );
}

export const RetentionPolicy = builder.objectRef<Policy>('RetentionPolicy').implement({
  description: 'A rule that says which images go to the trash. Pinned images never go.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the policy, which identifies it.' }),
    enabled: t.exposeBoolean('enabled', {
      description: 'Whether runs of all policies, such as those of RETENTION_SCHEDULE, include it.',
    }),
    source: t.expose('source', { type: RetentionSource, description: 'Where the policy is from.' }),
    images: t.field({
      type: 'JSON',
      nullable: true,
      description: `${RULE_FIELDS.images} A value of the input type \`ImageFilter\`.`,
      resolve: ({ rule }) => (rule.images ? withEnumNames(rule.images) : null),
    }),
    maxAgeDays: t.int({
      nullable: true,
      description: RULE_FIELDS.maxAgeDays,
      resolve: ({ rule }) => rule.maxAgeDays,
    }),
    ageOf: t.field({
      type: RetentionAge,
      description: 'Time that the age is counted from.',
      resolve: ({ rule }) => rule.ageOf,
    }),
    maxCount: t.int({
      nullable: true,
      description: RULE_FIELDS.maxCount,
      resolve: ({ rule }) => rule.maxCount,
    }),
    maxBytes: t.field({
      type: 'BigInt',
      nullable: true,
      description: RULE_FIELDS.maxBytes,
      resolve: ({ rule }) => rule.maxBytes,
    }),
    per: t.field({
      type: RetentionGroup,
      description: 'Group that `maxCount`, `maxBytes` and `keepNewest` apply to.',
      resolve: ({ rule }) => rule.per,
    }),
    keepNewest: t.int({
      nullable: true,
      description: RULE_FIELDS.keepNewest,
      resolve: ({ rule }) => rule.keepNewest,
    }),
    maxShare: t.float({
      nullable: true,
      description: RULE_FIELDS.maxShare,
      resolve: ({ rule }) => rule.maxShare,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the policy was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When the policy was last changed.' }),
  }),
});

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

builder.queryField('retentionPolicies', (t) =>
  t.field({
    type: [RetentionPolicy],
    description: 'Returns all retention policies by name, at most 100.',
    extensions: { scope: 'admin', cost: LIST_COST },
    resolve: (_root, _args, { services, caller }) => {
      requireAllUsers(caller);
      return listPolicies(services.database);
    },
  }),
);

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
