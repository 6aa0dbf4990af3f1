/** The keys of types without an `id`, as docs/schema.md has them: those of a name, and those that belong to what they stand in. */
import type { Data, KeyingConfig } from '@urql/exchange-graphcache';

const name = (data: Data) => String(data.name);
const none = () => null;
const EMBEDDED = [
  'ImageConnection',
  'ImageEdge',
  'ImageStats',
  'ImageToolStats',
  'ImageDayStats',
  'ImageError',
  'Provenance',
  'GenerationAttempt',
  'SizeRange',
  'UploadHeader',
];

export const keys: KeyingConfig = {
  Store: name,
  Tool: name,
  ...Object.fromEntries(EMBEDDED.map((type) => [type, none])),
};
