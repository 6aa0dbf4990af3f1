import { type ShapedModel, shapes } from './shape.ts';

const RATIOS = {
  '1:1': '1024x1024',
  '3:4': '864x1152',
  '4:3': '1152x864',
  '2:3': '832x1248',
  '3:2': '1248x832',
  '9:16': '720x1280',
  '16:9': '1280x720',
  '1:2': '704x1408',
  '2:1': '1408x704',
} as const;

const TABLE = { ...shapes(RATIOS, '1k'), ...shapes(RATIOS, '2k', 2) };

const GROK_IMAGINE = {
  provider: 'xai',
  sizes: Object.keys(TABLE),
  shapes: TABLE,
  defaultSize: '1024x1024',
  qualities: [],
  styles: [],
  maxPromptLength: 8_000,
  edits: { maxReferences: 3, mask: false },
  seeds: false,
  transparency: false,
  formats: [],
  // The response says what the picture cost.
  prices: [],
} as const;

/**
 * xAI's image models as of 2026-11-21, with the default first.
 * @see https://docs.x.ai/developers/model-capabilities/images/generation
 */
export const XAI_MODELS: readonly ShapedModel[] = [
  { ...GROK_IMAGINE, id: 'grok-imagine-image' },
  { ...GROK_IMAGINE, id: 'grok-imagine-image-quality' },
  { ...GROK_IMAGINE, id: 'grok-imagine-image-2.0' },
  { ...GROK_IMAGINE, id: 'grok-imagine-image-pro' },
];
