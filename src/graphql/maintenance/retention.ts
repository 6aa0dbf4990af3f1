import { visibleTo } from '../../auth/authorization.ts';
import type { Caller } from '../../auth/caller.ts';
import { FixativeError } from '../../errors.ts';
import { listPolicies, type RetentionPolicy as Policy } from '../../image/retention/policy.ts';
import { builder, type InputFields } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
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

export const RetentionReasonType = builder.enumType('RetentionReason', {
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

export const RetentionRuleInput = builder.inputType('RetentionRuleInput', {
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
