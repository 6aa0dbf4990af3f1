/** Contents of the form, and the request that they make. Empty texts stand for the default. */
import type { GenerateImageInput, PictureSourceInput, Visibility } from '../generated/graphql.ts';
import { faultOfSize, type Offers, type SizeFault } from './offers.ts';

export interface Draft {
  readonly tool: string;
  readonly model: string;
  readonly prompt: string;
  readonly character: string;
  /** Texts of the panels or pages. */
  readonly parts: readonly string[];
  readonly chart: string;
  readonly size: string;
  readonly quality: string;
  readonly style: string;
  readonly format: string;
  readonly isTransparent: boolean;
  readonly seed: string;
  readonly n: number;
  readonly tags: readonly string[];
  readonly visibility: Visibility | '';
  readonly userId: string;
  /** uuid of the image that the new one is edited from. */
  readonly parent: string;
}

export const EMPTY_DRAFT: Draft = {
  tool: 'generateUserImage',
  model: '',
  prompt: '',
  character: '',
  parts: [''],
  chart: '',
  size: '',
  quality: '',
  style: '',
  format: '',
  isTransparent: false,
  seed: '',
  n: 1,
  tags: [],
  visibility: '',
  userId: '',
  parent: '',
};

/** Reads a draft that was kept as JSON. Ignores fields of another type. */
export function parseDraft(json: string | null): Draft {
  const kept = parseObject(json);
  const known = Object.entries(EMPTY_DRAFT).map(([name, usual]) => {
    const value = kept[name];
    if (Array.isArray(usual)) return [name, isTexts(value) && value.length >= usual.length ? value : usual];
    return [name, typeof value === typeof usual ? value : usual];
  });
  return Object.fromEntries(known) as Draft;
}

function parseObject(json: string | null): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

/** Field of the form, named as in the input. */
export type FieldName =
  | 'tool'
  | 'model'
  | 'prompt'
  | 'parts'
  | 'character'
  | 'chart'
  | 'size'
  | 'quality'
  | 'style'
  | 'format'
  | 'background'
  | 'seed'
  | 'n'
  | 'tags'
  | 'visibility'
  | 'userId'
  | 'references'
  | 'mask';

export type Fault = 'empty' | 'emptyPart' | 'long' | 'json' | 'seed' | 'few' | 'many' | `size-${SizeFault}`;

/** Greatest seed: GraphQL sends 32 bits. */
const MAX_SEED = 2 ** 31 - 1;

/** Returns what must be mended before the request can be sent, by field. */
export function faultsOfDraft(
  draft: Draft,
  offers: Offers,
  references: number,
): Readonly<Partial<Record<FieldName, Fault>>> {
  const faults: Partial<Record<FieldName, Fault>> = {};
  const max = offers.maxPromptLength ?? Number.POSITIVE_INFINITY;
  if (offers.parts) {
    const longest = Math.max(...draft.parts.map(({ length }) => length)) + draft.character.trim().length;
    if (draft.parts.some((part) => part.trim() === '')) faults.parts = 'emptyPart';
    else if (longest > max) faults.parts = 'long';
  } else if (offers.prompt === 'required' && draft.prompt.trim() === '') faults.prompt = 'empty';
  else if (draft.prompt.length > max) faults.prompt = 'long';
  if (offers.chart && chartOf(draft.chart) === undefined) faults.chart = 'json';
  if (offers.seed && draft.seed.trim() !== '' && seedOf(draft.seed) === null) faults.seed = 'seed';
  const size = offers.size.kind === 'none' || draft.size === '' ? null : faultOfSize(draft.size, offers.size);
  if (size) faults.size = `size-${size}`;
  if (references < offers.references.min) faults.references = 'few';
  if (references > offers.references.max) faults.references = 'many';
  return faults;
}

/** Returns a seed; null: the text is none. */
export function seedOf(text: string): number | null {
  const seed = Number(text.trim());
  return /^-?\d+$/.test(text.trim()) && Math.abs(seed) <= MAX_SEED ? seed : null;
}

/** Returns the chart; undefined: the text is no JSON object. */
function chartOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

interface Pictures {
  readonly references: readonly PictureSourceInput[];
  readonly mask: File | null;
}

/** Returns the input of a request: only what the tool and the model take and differs from the default. */
export function inputOf(draft: Draft, offers: Offers, { references, mask }: Pictures): GenerateImageInput {
  const given = <Value>(name: keyof GenerateImageInput, value: Value, condition: boolean) =>
    condition ? { [name]: value } : {};
  const has = (list: readonly string[], value: string) => list.includes(value);
  const taken = references.slice(0, offers.references.max);
  return {
    tool: draft.tool,
    waitSeconds: 0,
    ...given('model', draft.model, offers.model && draft.model !== ''),
    ...given('prompt', draft.prompt, offers.parts === null && draft.prompt.trim() !== ''),
    ...(offers.parts ? { [offers.parts.field]: draft.parts.slice(0, offers.parts.max) } : {}),
    ...given('character', draft.character.trim(), offers.parts !== null && draft.character.trim() !== ''),
    ...given('chart', chartOf(draft.chart), offers.chart),
    ...given('size', draft.size, offers.size.kind !== 'none' && draft.size !== ''),
    ...given('quality', draft.quality, has(offers.qualities, draft.quality)),
    ...given('style', draft.style, has(offers.styles, draft.style)),
    ...given('format', draft.format.toUpperCase(), has(offers.formats, draft.format)),
    ...given('background', 'TRANSPARENT', offers.transparency && draft.isTransparent),
    ...given('seed', seedOf(draft.seed), offers.seed && draft.seed.trim() !== ''),
    ...given('n', Math.min(draft.n, offers.maxImages), offers.maxImages > 1 && draft.n > 1),
    ...given('references', taken, taken.length > 0),
    ...given('mask', { file: mask }, offers.mask && mask !== null && taken.length > 0),
    ...given('parentId', draft.parent, draft.parent !== '' && taken.some(({ id }) => id === draft.parent)),
    ...given('tags', draft.tags, draft.tags.length > 0),
    ...given('visibility', draft.visibility, draft.visibility !== ''),
    ...given('userId', draft.userId.trim(), draft.userId.trim() !== ''),
  };
}

/** An image from which a form is filled. */
export interface FormerImage {
  readonly prompt: string;
  readonly tool: string;
  readonly model: string | null;
  readonly size: string | null;
  readonly quality: string | null;
  readonly style: string | null;
  readonly tags: readonly string[];
  readonly metadata: unknown;
  readonly provenance: { readonly seed: string | null } | null;
}

/** Returns a draft that makes the image again. A tool or model that is not known here is left out. */
export function draftFrom(
  image: FormerImage,
  known: { tools: readonly string[]; models: readonly string[] },
): Draft {
  // The prompt of a comic has a line for each panel.
  const lines = image.prompt
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 10);
  const isKnown = known.tools.includes(image.tool);
  const provider = (image.metadata as { provider?: { seed?: unknown } } | null)?.provider;
  const seed = String(provider?.seed ?? image.provenance?.seed ?? '');
  return {
    ...EMPTY_DRAFT,
    tool: isKnown ? image.tool : EMPTY_DRAFT.tool,
    model: image.model !== null && known.models.includes(image.model) ? image.model : '',
    prompt: image.prompt,
    parts: lines.length === 0 ? [''] : lines,
    size: image.size ?? '',
    quality: image.quality ?? '',
    style: image.style ?? '',
    seed: seedOf(seed) === null ? '' : seed,
    tags: image.tags,
  };
}
