export interface StoreCopies {
  readonly copies: number;
  readonly neverVerified: number;
  readonly verifiedInWeek: number;
  readonly verifiedInMonth: number;
}

/** Healthy copies of a store by the time of their last check; each copy counts once. */
export interface CoverageCounts {
  readonly week: number;
  /** Verified within 30 days, but not within 7. */
  readonly month: number;
  readonly older: number;
  readonly never: number;
}

/** Divides the healthy copies. The server counts one number after the other, so none may become negative. */
export function coverageOf({
  copies,
  neverVerified,
  verifiedInWeek,
  verifiedInMonth,
}: StoreCopies): CoverageCounts {
  const month = Math.max(0, verifiedInMonth - verifiedInWeek);
  return {
    week: verifiedInWeek,
    month,
    older: Math.max(0, copies - neverVerified - verifiedInWeek - month),
    never: neverVerified,
  };
}
