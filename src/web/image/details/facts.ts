import { formatBytes, formatCount, formatTime } from '../../design/format.ts';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import type { GalleryFilter } from '../../state/filter.ts';
import { origin } from '../../text/image.ts';
import { facts } from '../../text/image-details.ts';

export interface Fact {
  readonly name: string;
  readonly value: string;
  /** Text to copy; absent: the fact has no copy button. */
  readonly copy?: string;
  /** Whether the value is a code, which may be cut. */
  readonly isCode?: boolean;
  /** Filter of the images that share the value. */
  readonly filter?: GalleryFilter;
}

export interface FactGroup {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** Returns everything that is known about an image, in groups; facts that are unknown are left out. */
export const factsOf = (image: ImageDetailsFragment): readonly FactGroup[] =>
  [
    { title: facts.making, facts: makingOf(image) },
    { title: facts.file, facts: fileOf(image) },
    { title: facts.record, facts: recordOf(image) },
  ].filter((group) => group.facts.length > 0);

type Value = string | null | undefined;

const plain = (name: string, value: Value): Fact[] => (value ? [{ name, value }] : []);

/** Returns a fact that leads to the images that share it. */
const shared = (name: string, value: Value, filter: (value: string) => GalleryFilter): Fact[] =>
  plain(name, value).map((fact) => ({ ...fact, filter: filter(fact.value) }));

const code = (name: string, value: Value): Fact[] =>
  value ? [{ name, value, copy: value, isCode: true }] : [];

const time = (name: string, value: Value): Fact[] => plain(name, value && formatTime(value));

const makingOf = (image: ImageDetailsFragment): Fact[] => [
  ...shared(facts.model, image.model, (model) => ({ model })),
  ...shared(facts.provider, image.provider, (provider) => ({ provider })),
  ...shared(facts.tool, image.tool, (tool) => ({ tool })),
  ...plain(facts.requestedSize, image.size?.replace('x', ' × ')),
  ...plain(facts.quality, image.quality),
  ...plain(facts.style, image.style),
  ...code(facts.seed, seedOf(image)),
  ...plain(facts.count, image.n && image.n > 1 ? formatCount(image.n) : null),
  ...plain(facts.origin, origin[image.origin]),
  ...code(facts.originalUrl, image.originalUrl),
  ...errorOf(image),
];

function errorOf({ error }: ImageDetailsFragment): Fact[] {
  if (!error) return [];
  const hint = error.retryable ? facts.retryable : facts.notRetryable;
  return [{ name: facts.error, value: `${error.message} (${error.code}, ${hint})`, copy: error.message }];
}

const fileOf = ({ width, height, ...image }: ImageDetailsFragment): Fact[] => [
  ...plain(facts.type, image.mimeType),
  ...plain(facts.pixels, width && height ? `${formatCount(width)} × ${formatCount(height)}` : null),
  ...(image.bytes
    ? [{ name: facts.bytes, value: formatBytes(image.bytes), copy: String(image.bytes) }].map(withExactBytes)
    : []),
  ...code(facts.sha256, image.sha256),
  ...plain(facts.firstStore, image.storageProvider),
];

/** Adds the exact number of bytes to a rounded size. */
const withExactBytes = ({ copy, ...fact }: Fact & { readonly copy: string }): Fact =>
  Number(copy) < 1000 ? fact : { ...fact, value: `${fact.value} (${formatCount(Number(copy))})` };

const recordOf = (image: ImageDetailsFragment): Fact[] => [
  ...shared(facts.user, image.username ? `${image.username} (${image.userId})` : image.userId, () => ({
    user: image.userId,
  })),
  ...time(facts.created, image.createdAt),
  ...time(facts.updated, image.updatedAt === image.createdAt ? null : image.updatedAt),
  ...time(facts.deleted, image.deletedAt),
  ...time(facts.purgedBefore, image.purgedBefore),
  ...code(facts.requestId, image.requestId).map((fact) => ({ ...fact, filter: { request: fact.value } })),
  ...code(facts.messageId, image.messageId),
  ...code(facts.uuid, image.uuid),
  ...plain(facts.databaseId, String(image.databaseId)),
];

/** Returns the seed: what the provider said, else what the file says. */
export function seedOf({
  metadata,
  provenance,
}: Pick<ImageDetailsFragment, 'metadata' | 'provenance'>): string | null {
  const said: unknown = (metadata as { provider?: { seed?: unknown } } | null)?.provider?.seed;
  if (typeof said === 'string' || typeof said === 'number') return String(said);
  return provenance?.seed ?? null;
}
