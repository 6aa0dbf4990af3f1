/** Texts on the verified copies of a store. */
export const coverage = {
  parts: { week: 'Within 7 days', month: 'Within 30 days', older: 'Longer ago', never: 'Never' },
  share: (share: string) => `${share} verified within 30 days`,
  oldest: (ago: string) => `oldest check ${ago}`,
  notVerified: 'not verified yet',
  noCopies: 'no copies yet',
} as const;
