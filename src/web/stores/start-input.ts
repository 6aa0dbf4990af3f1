import type { StartRestoreInput, StartVerifyInput } from '../generated/graphql.ts';

/** Kinds of runs that the page of the stores starts. */
export type StartKind = 'VERIFY' | 'RESTORE';

export const DEPTHS = ['deep', 'shallow'] as const;
export const AMOUNTS = [100, 10, 1] as const;
export const WHICHES = ['all', 'damaged', 'user'] as const;

/** Choices of a person in the dialog that starts a run. */
export interface StartChoice {
  readonly stores: readonly string[];
  readonly depth: (typeof DEPTHS)[number];
  readonly amount: (typeof AMOUNTS)[number];
  readonly which: (typeof WHICHES)[number];
  readonly user: string;
  /** Percentage as it was typed. */
  readonly maxMissing: string;
}

export interface StartFaults {
  readonly stores?: true;
  readonly user?: true;
  readonly maxMissing?: true;
}

/** Returns what is wrong with a choice; an empty object: nothing is. */
export function faultsOf(kind: StartKind, { stores, which, user, maxMissing }: StartChoice): StartFaults {
  const isPercent = /^\d{1,3}$/.test(maxMissing.trim()) && Number(maxMissing) <= 100;
  return {
    ...(stores.length === 0 ? { stores: true } : {}),
    ...(kind === 'RESTORE' && which === 'user' && user.trim() === '' ? { user: true } : {}),
    ...(isPercent ? {} : { maxMissing: true }),
  };
}

/** Returns the input of `startVerify`. @param all names of all stores. */
export function verifyInputOf(choice: StartChoice, all: readonly string[]): StartVerifyInput {
  return {
    ...storesOf(choice, all),
    deep: choice.depth === 'deep',
    percent: choice.amount,
    maxMissingPercent: Number(choice.maxMissing),
  };
}

/** Returns the input of `startRestore`. @param all names of all stores. */
export function restoreInputOf(choice: StartChoice, all: readonly string[]): StartRestoreInput {
  return {
    ...storesOf(choice, all),
    ...(choice.which === 'damaged'
      ? { filter: { durability: ['DEGRADED', 'AT_RISK', 'LOST'], trash: 'INCLUDE', parts: true } }
      : {}),
    ...(choice.which === 'user'
      ? { filter: { userId: choice.user.trim(), trash: 'INCLUDE', parts: true } }
      : {}),
    maxMissingPercent: Number(choice.maxMissing),
  };
}

/** Leaves the stores out when all are chosen: a run then includes one that is added meanwhile. */
const storesOf = ({ stores }: StartChoice, all: readonly string[]) =>
  all.every((name) => stores.includes(name)) ? {} : { stores: [...stores] };
