/** The optional settings of a PictureRequest, all left out. */
export const NOTHING_MORE = {
  quality: null,
  style: null,
  seed: null,
  background: null,
  format: null,
  references: [],
  mask: null,
} as const;
