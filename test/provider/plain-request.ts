/** What a request of a picture may say and need not, none of it said. */
export const NOTHING_MORE = {
  quality: null,
  style: null,
  seed: null,
  background: null,
  format: null,
  references: [],
  mask: null,
} as const;
