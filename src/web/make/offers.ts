/** Offers of the form: what both the tool and the model can do. */
import type { MakeCatalogueQuery } from '../generated/graphql.ts';

export type Tool = MakeCatalogueQuery['tools'][number];
export type Model = MakeCatalogueQuery['models'][number];

export type SizeOffer =
  | { readonly kind: 'none' }
  | { readonly kind: 'list'; readonly sizes: readonly string[]; readonly usual: string }
  | {
      readonly kind: 'range';
      readonly minSide: number;
      readonly maxSide: number;
      readonly square: boolean;
      readonly usual: string;
      readonly presets: readonly string[];
    };

/** Fields that a request may have. */
export interface Offers {
  readonly prompt: 'required' | 'optional';
  /** Most UTF-16 code units of the prompt, after what the tool adds; null: no model reads it. */
  readonly maxPromptLength: number | null;
  readonly model: boolean;
  /** Most images of a request. */
  readonly maxImages: number;
  readonly size: SizeOffer;
  readonly qualities: readonly string[];
  readonly styles: readonly string[];
  readonly formats: readonly string[];
  readonly transparency: boolean;
  readonly seed: boolean;
  readonly references: { readonly min: number; readonly max: number };
  readonly mask: boolean;
  /** Texts of the panels or pages; null: the tool has none. */
  readonly parts: { readonly field: 'panels' | 'pages'; readonly max: number } | null;
  readonly chart: boolean;
}

const NO_MODEL = {
  qualities: [],
  styles: [],
  formats: [],
  transparency: false,
  seed: false,
  mask: false,
} as const;

/** Returns what a request with the tool and the model may have. */
export function offersOf(tool: Tool, model: Model | undefined): Offers {
  const isChart = tool.plan === 'CHART';
  const parts = PARTS[tool.plan];
  const base = {
    prompt: isChart ? ('optional' as const) : ('required' as const),
    model: tool.usesProvider,
    maxImages: tool.plan === 'PICTURES' ? tool.maxImages : 1,
    size: sizeOf(tool, model),
    parts: parts ? { field: parts, max: tool.maxParts } : null,
    chart: isChart,
  };
  if (!tool.usesProvider || !model)
    return { ...base, ...NO_MODEL, maxPromptLength: null, references: { min: 0, max: 0 } };
  // A tool that finishes its images chooses their format.
  const isFinished = tool.sizeRange !== null || tool.plan === 'COMIC';
  const max = Math.min(tool.maxReferences, model.maxReferences);
  return {
    ...base,
    maxPromptLength: Math.max(0, model.maxPromptLength - tool.addedPromptLength),
    qualities: model.qualities,
    styles: model.styles,
    formats: isFinished ? [] : model.formats,
    transparency: model.transparency && tool.plan !== 'COMIC',
    seed: model.acceptsSeed,
    references: { min: tool.minReferences, max },
    mask: tool.acceptsMask && model.acceptsMask && max > 0,
  };
}

const PARTS = { PICTURES: null, CHART: null, COMIC: 'panels', STORY: 'pages' } as const;

/** Whether a model can do what a tool needs. */
export const canServe = (tool: Tool, model: Model) => model.maxReferences >= tool.minReferences;

/** Returns the model of a request that names none. */
export const defaultModelOf = (tool: Tool, models: readonly Model[]) =>
  models.find(({ id }) => id === tool.defaultModel) ?? models.find(({ isDefault }) => isDefault);

/** Sizes to choose from where many are possible; the common shapes. */
const PRESETS = [
  '256x256',
  '512x512',
  '768x512',
  '512x768',
  '1024x1024',
  '1216x832',
  '832x1216',
  '1024x768',
  '1536x1024',
  '1024x1536',
  '1920x1080',
  '1080x1920',
  '2048x2048',
];

function sizeOf(tool: Tool, model: Model | undefined): SizeOffer {
  if (tool.plan === 'COMIC') return { kind: 'none' };
  const usual = tool.defaultSize ?? model?.defaultSize ?? '';
  const range = tool.sizeRange ?? model?.sizeRange;
  const { square } = tool;
  if (range) {
    const offer = {
      kind: 'range' as const,
      minSide: range.minSide,
      maxSide: range.maxSide,
      square,
      usual,
      presets: [],
    };
    const presets = PRESETS.filter((size) => faultOfSize(size, offer) === null);
    return { ...offer, presets: usual !== '' && !presets.includes(usual) ? [usual, ...presets] : presets };
  }
  const sizes = (model?.sizes ?? []).filter((size) => !square || isSquare(size));
  return sizes.length === 0 ? { kind: 'none' } : { kind: 'list', sizes, usual };
}

export interface Sides {
  readonly width: number;
  readonly height: number;
}

/** Returns the sides of `WIDTHxHEIGHT`; null: it is none. */
export function sidesOf(size: string): Sides | null {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(size);
  return match ? { width: Number(match[1]), height: Number(match[2]) } : null;
}

function isSquare(size: string): boolean {
  const sides = sidesOf(size);
  return sides !== null && sides.width === sides.height;
}

export type SizeFault = 'form' | 'range' | 'square' | 'unknown';

/** Returns why a size is not possible; null: it is. */
export function faultOfSize(size: string, offer: SizeOffer): SizeFault | null {
  if (offer.kind === 'none') return 'unknown';
  if (offer.kind === 'list') return offer.sizes.includes(size) ? null : 'unknown';
  const sides = sidesOf(size);
  if (!sides) return 'form';
  const { width, height } = sides;
  if (Math.min(width, height) < offer.minSide || Math.max(width, height) > offer.maxSide) return 'range';
  return offer.square && width !== height ? 'square' : null;
}

interface Priced {
  readonly size: string;
  readonly quality: string;
}

/**
 * Returns the published price of one picture in US dollars; null: none is known. The server chooses the
 * size that it requests for a finished image, so only a price for every size is known then.
 */
export function priceOf(tool: Tool, model: Model | undefined, { size, quality }: Priced): number | null {
  const asked =
    tool.sizeRange === null && tool.plan !== 'COMIC' ? size || tool.defaultSize || model?.defaultSize : null;
  const fits = (price: Model['prices'][number]) =>
    (price.size === null || price.size === asked) && (price.quality === null || price.quality === quality);
  return model?.prices.find(fits)?.usd ?? null;
}
