/**
 * A retention rule says which images go to the trash. `images` selects the images that the rule is about, its
 * scope. An image of the scope goes when it is beyond one of the limits. A pinned image never goes.
 */
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { Conditions, type ImageFilter } from '../list/conditions.ts';
import { parseImageFilter } from '../list/filter-json.ts';

export const AGES = ['CREATED', 'UPDATED'] as const;
export const SCOPES_PER = ['ALL', 'USER', 'TOOL'] as const;
export const REASONS = ['AGE', 'COUNT', 'BYTES'] as const;
export type RetentionReason = (typeof REASONS)[number];

const MAX_DAYS = 36_500;
const MAX_IMAGES = 2 ** 31 - 1;

const whole = (least: number, most: number) => z.int().min(least).max(most).nullish();

const RULE = z.strictObject({
  /** ImageFilter as JSON; null: all images. */
  images: z.record(z.string(), z.unknown()).nullish(),
  /** Most days since the creation or the last update. */
  maxAgeDays: whole(1, MAX_DAYS),
  ageOf: z.enum(AGES).default('CREATED'),
  maxBytes: whole(0, Number.MAX_SAFE_INTEGER),
  maxCount: whole(0, MAX_IMAGES),
  /** Group that maxBytes, maxCount and keepNewest apply to. */
  per: z.enum(SCOPES_PER).default('ALL'),
  /** Newest images of each group that never go. */
  keepNewest: whole(1, MAX_IMAGES),
  /** Largest share of the images in scope that a run may take, 0 to 1; null: RETENTION_MAX_SHARE. */
  maxShare: z.number().min(0).max(1).nullish(),
});

export type RetentionRule = z.output<typeof RULE>;
export type RetentionRuleInput = z.input<typeof RULE>;

/**
 * Checks a rule.
 * @param subject begins the messages of errors: `Policy "old"`.
 * @throws InputError INVALID_INPUT
 */
export function parseRule(
  value: unknown,
  subject: string,
  path: readonly string[] = ['input'],
): RetentionRule {
  const parsed = RULE.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = (issue?.path ?? []).map(String);
    const where = field.length > 0 ? `${field.join('.')}: ` : '';
    throw new InputError('INVALID_INPUT', `${subject}: ${where}${issue?.message}.`, {
      path: [...path, ...field],
    });
  }
  const rule = parsed.data;
  if (rule.maxAgeDays == null && rule.maxBytes == null && rule.maxCount == null) {
    const message = `${subject} has no limit. Set one or more of maxAgeDays, maxBytes and maxCount.`;
    throw new InputError('INVALID_INPUT', message, { path });
  }
  checkFilter(rule, subject, path);
  return rule;
}

function checkFilter(rule: RetentionRule, subject: string, path: readonly string[]): void {
  const at = { path: [...path, 'images'] };
  const filter = filterOf(rule, subject, at.path);
  if (filter.parts || (filter.trash ?? 'exclude') !== 'exclude') {
    const message = `${subject}: images may have neither \`parts\` nor \`trash\`. Parts go with their whole, and images in the trash have gone.`;
    throw new InputError('INVALID_INPUT', message, at);
  }
  const unfinished = filter.status?.find((status) => status !== 'success' && status !== 'failed');
  if (unfinished) {
    const message = `${subject}: images of status ${unfinished} are being generated and never go. Use SUCCESS or FAILED.`;
    throw new InputError('INVALID_INPUT', message, at);
  }
}

/** Returns the filter of a rule. @throws InputError INVALID_INPUT */
export function filterOf(rule: RetentionRule, subject: string, path: readonly string[] = []): ImageFilter {
  try {
    const filter = parseImageFilter(JSON.stringify(rule.images ?? {}));
    new Conditions({ ...filter, durability: null });
    return filter;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.code, `${subject}: ${error.message}`, { path, cause: error });
  }
}

const ORDER = 'oldest first';
const NUMBERS = new Intl.NumberFormat('en');

/** Returns why an image goes, for people. @param group user or tool of the image; null: no group. */
export function describeReason(
  rule: RetentionRule,
  reason: RetentionReason,
  group: string | null = null,
): string {
  const of = group === null ? '' : ` of ${rule.per === 'TOOL' ? 'tool' : 'user'} ${group}`;
  if (reason === 'COUNT') return `beyond ${NUMBERS.format(rule.maxCount ?? 0)} images${of}, ${ORDER}`;
  if (reason === 'BYTES') return `beyond ${NUMBERS.format(rule.maxBytes ?? 0)} bytes${of}, ${ORDER}`;
  const since = rule.ageOf === 'UPDATED' ? 'not updated for' : 'older than';
  return `${since} ${NUMBERS.format(rule.maxAgeDays ?? 0)} days`;
}
