import { type ShapedModel, shapes } from './shape.ts';

const TABLE = shapes({
  '1:1': '1024x1024',
  '16:9': '1344x768',
  '9:16': '768x1344',
  '3:2': '1216x832',
  '2:3': '832x1216',
  '4:3': '1152x896',
  '3:4': '896x1152',
  '5:4': '1088x896',
  '4:5': '896x1088',
});

const FLUX = {
  provider: 'replicate',
  sizes: Object.keys(TABLE),
  shapes: TABLE,
  defaultSize: '1024x1024',
  qualities: [],
  styles: [],
  maxPromptLength: 10_000,
  edits: null,
  seeds: true,
  transparency: false,
  formats: ['png', 'jpeg', 'webp'],
  prices: [],
} as const;

/**
 * Models at Replicate as of 2026-11-21, with the default first.
 * @see https://replicate.com/collections/text-to-image
 */
export const REPLICATE_MODELS: readonly ShapedModel[] = [
  { ...FLUX, id: 'black-forest-labs/flux-schnell' },
  { ...FLUX, id: 'black-forest-labs/flux-dev', edits: { maxReferences: 1, mask: false } },
  { ...FLUX, id: 'black-forest-labs/flux-1.1-pro' },
  { ...FLUX, id: 'black-forest-labs/flux-2-pro' },
];
