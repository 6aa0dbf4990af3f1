import { FixativeError } from '../../errors.ts';
import type { Model, Price } from '../provider.ts';

/** A row of OPENAI_MODELS. */
export interface OpenAiModel extends Model {
  /**
   * First day (UTC, `YYYY-MM-DD`) on which api.openai.com no longer serves the model; null: none was
   * announced. Other endpoints of the protocol may still serve it.
   */
  readonly shutDown: string | null;
}

const GPT_IMAGE = {
  provider: 'openai',
  edits: { maxReferences: 16, mask: true },
  seeds: false,
  transparency: true,
  formats: ['png', 'jpeg', 'webp'],
  prices: [],
  sizes: ['1024x1024', '1536x1024', '1024x1536'],
  defaultSize: '1024x1024',
  qualities: ['low', 'medium', 'high', 'auto'],
  styles: [],
  maxPromptLength: 32_000,
  shutDown: null,
} as const satisfies Omit<OpenAiModel, 'id'>;

// From gpt-image-2 on, OpenAI accepts any size with sides that are multiples of 16 and at most 3840, a ratio
// of at most 3:1, and 655,360 to 8,294,400 pixels in total. The list has the documented presets and the
// portrait form of 2048x1152. gpt-image-2 itself made transparent backgrounds only as a preview, from
// 2026-08-21 to 2026-09-30.
const GPT_IMAGE_2 = {
  ...GPT_IMAGE,
  sizes: [...GPT_IMAGE.sizes, '2048x2048', '2048x1152', '1152x2048', '3840x2160', '2160x3840'],
} as const;

const GPT_IMAGE_2_5 = {
  ...GPT_IMAGE_2,
  qualities: ['low', 'medium', 'high', 'xhigh', 'max', 'auto'],
} as const;

const DALL_E = {
  provider: 'openai',
  defaultSize: '1024x1024',
  edits: null,
  seeds: false,
  transparency: false,
  formats: [],
  shutDown: '2026-05-12',
} as const;

/**
 * Prices of dall-e-3. Its default quality is `standard`.
 * @see https://developers.openai.com/api/docs/pricing
 */
const DALL_E_3_PRICES: readonly Price[] = [
  { quality: 'hd', size: '1024x1024', usd: 0.08 },
  { quality: 'hd', size: '1792x1024', usd: 0.12 },
  { quality: 'hd', size: '1024x1792', usd: 0.12 },
  { size: '1024x1024', usd: 0.04 },
  { size: '1792x1024', usd: 0.08 },
  { size: '1024x1792', usd: 0.08 },
];

/**
 * OpenAI's image models as of 2026-11-21, with the default first. The default is the successor that OpenAI
 * names for the models that it shuts down.
 * @see https://developers.openai.com/api/docs/guides/image-generation
 * @see https://developers.openai.com/api/docs/deprecations
 */
export const OPENAI_MODELS: readonly OpenAiModel[] = [
  { ...GPT_IMAGE_2_5, id: 'gpt-image-2.5-flare' },
  { ...GPT_IMAGE_2_5, id: 'gpt-image-2.5-sunburst' },
  { ...GPT_IMAGE_2_5, id: 'gpt-image-2.6-flare' },
  { ...GPT_IMAGE_2_5, id: 'gpt-image-2.6-sunburst' },
  { ...GPT_IMAGE_2_5, id: 'gpt-image-2.5-flare-2026-09-08' },
  { ...GPT_IMAGE_2_5, id: 'gpt-image-2.5-sunburst-2026-09-08' },
  { ...GPT_IMAGE_2, id: 'gpt-image-2', transparency: false },
  { ...GPT_IMAGE_2, id: 'gpt-image-2-2026-04-21', transparency: false },
  { ...GPT_IMAGE, id: 'gpt-image-1.5', shutDown: '2026-12-01' },
  { ...GPT_IMAGE, id: 'gpt-image-1-mini', shutDown: '2026-12-01' },
  { ...GPT_IMAGE, id: 'chatgpt-image-latest', shutDown: '2026-12-01' },
  { ...GPT_IMAGE, id: 'gpt-image-1', shutDown: '2026-10-23' },
  {
    ...DALL_E,
    id: 'dall-e-3',
    sizes: ['1024x1024', '1792x1024', '1024x1792'],
    qualities: ['standard', 'hd'],
    styles: ['vivid', 'natural'],
    maxPromptLength: 4_000,
    prices: DALL_E_3_PRICES,
  },
  {
    ...DALL_E,
    id: 'dall-e-2',
    sizes: ['256x256', '512x512', '1024x1024'],
    qualities: ['standard'],
    styles: [],
    maxPromptLength: 1_000,
    prices: [
      { size: '256x256', usd: 0.016 },
      { size: '512x512', usd: 0.018 },
      { size: '1024x1024', usd: 0.02 },
    ],
  },
];

/** Whether api.openai.com no longer serves the model on that day (UTC). */
export function isShutDownOn({ shutDown }: OpenAiModel, day: Date): boolean {
  return shutDown !== null && shutDown <= day.toISOString().slice(0, 10);
}

/**
 * Returns the OpenAI model whose row a model of another endpoint copies.
 * @param setting name of the setting that gave the id, for the error message
 * @throws FixativeError INVALID_INPUT when there is no such model
 */
export function templateModel(id: string, setting: string): Model {
  const row = OPENAI_MODELS.find((model) => model.id === id);
  if (row) return row;
  throw new FixativeError(
    'INVALID_INPUT',
    `The configuration is not valid.\n  ${setting}: after the =, expected one of: ${OPENAI_MODELS.map((model) => model.id).join(', ')}; not ${id}\nSee .env.example.`,
  );
}
