import type { CreateRetentionPolicyInput, ImageOrigin, PolicyFieldsFragment } from '../generated/graphql.ts';

const MEGABYTE = 1_000_000;
const NUMBERS = ['maxAgeDays', 'maxCount', 'maxMegabytes', 'keepNewest'] as const;

/** A policy as it is typed. */
export interface PolicyForm {
  readonly name: string;
  readonly enabled: boolean;
  readonly maxAgeDays: string;
  readonly ageOf: PolicyFieldsFragment['ageOf'];
  readonly maxCount: string;
  readonly maxMegabytes: string;
  readonly per: PolicyFieldsFragment['per'];
  readonly keepNewest: string;
  /** Percentage. */
  readonly maxShare: string;
  readonly tool: string;
  readonly tag: string;
  readonly user: string;
  readonly status: '' | 'SUCCESS' | 'FAILED';
  readonly origin: '' | ImageOrigin;
  /** Conditions that the form does not show. */
  readonly others: Readonly<Record<string, unknown>>;
}

export type FormFaults = { readonly [Name in (typeof NUMBERS)[number] | 'maxShare']?: true };

/** Returns the form of a policy; null: of a new one. */
export function formOf(policy: PolicyFieldsFragment | null): PolicyForm {
  const { userId, tool, tags, status, origin, ...rest } = (policy?.images ?? {}) as {
    userId?: string;
    tool?: string;
    tags?: readonly string[];
    status?: readonly string[];
    origin?: ImageOrigin;
  };
  const [onlyTag, secondTag] = tags ?? [];
  const [onlyStatus, secondStatus] = status ?? [];
  const isShown = (value: string | undefined): value is 'SUCCESS' | 'FAILED' =>
    value === 'SUCCESS' || value === 'FAILED';
  return {
    name: policy?.name ?? '',
    enabled: policy?.enabled ?? true,
    maxAgeDays: textOf(policy?.maxAgeDays),
    ageOf: policy?.ageOf ?? 'CREATED',
    maxCount: textOf(policy?.maxCount),
    maxMegabytes: textOf(policy?.maxBytes == null ? null : policy.maxBytes / MEGABYTE),
    per: policy?.per ?? 'ALL',
    keepNewest: textOf(policy?.keepNewest),
    maxShare: textOf(policy?.maxShare == null ? null : policy.maxShare * 100),
    tool: tool ?? '',
    tag: secondTag === undefined ? (onlyTag ?? '') : '',
    user: userId ?? '',
    status: secondStatus === undefined && isShown(onlyStatus) ? onlyStatus : '',
    origin: origin ?? '',
    others: {
      ...rest,
      ...(secondTag === undefined ? {} : { tags }),
      ...(secondStatus === undefined ? {} : { status }),
    },
  };
}

const textOf = (value: number | null | undefined) => (value == null ? '' : String(value));

/** Returns what is wrong with a form; an empty object: nothing that the browser can tell. */
export function faultsOf(form: PolicyForm): FormFaults {
  const wrong = NUMBERS.filter((name) => !/^(\d{1,15}(\.\d{1,6})?)?$/.test(form[name].trim()));
  const share = form.maxShare.trim();
  const isShare = share === '' || (/^\d{1,3}(\.\d+)?$/.test(share) && Number(share) <= 100);
  return { ...Object.fromEntries(wrong.map((name) => [name, true])), ...(isShare ? {} : { maxShare: true }) };
}

/** Returns the input of the mutations. */
export function inputOf(form: PolicyForm): CreateRetentionPolicyInput {
  const number = (text: string, factor = 1) =>
    text.trim() === '' ? null : Math.round(Number(text) * factor);
  const given = (name: string, value: string, sent: unknown = value.trim()) =>
    value.trim() === '' ? {} : { [name]: sent };
  const images = {
    ...form.others,
    ...given('tool', form.tool),
    ...given('tags', form.tag, [form.tag.trim()]),
    ...given('userId', form.user),
    ...given('status', form.status, [form.status]),
    ...given('origin', form.origin),
  };
  return {
    name: form.name.trim(),
    enabled: form.enabled,
    maxAgeDays: number(form.maxAgeDays),
    ageOf: form.ageOf,
    maxCount: number(form.maxCount),
    maxBytes: number(form.maxMegabytes, MEGABYTE),
    per: form.per,
    keepNewest: number(form.keepNewest),
    maxShare: form.maxShare.trim() === '' ? null : Number(form.maxShare) / 100,
    images: Object.keys(images).length > 0 ? images : null,
  };
}
