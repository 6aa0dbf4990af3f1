import { type ShapedModel, shapes } from './shape.ts';

const GEMINI = {
  provider: 'google',
  defaultSize: '1024x1024',
  qualities: [],
  styles: [],
  maxPromptLength: 32_000,
  // With these models one seed gives the same picture most of the time, not always.
  seeds: true,
  transparency: false,
  formats: [],
  // Billed by tokens; `usage` in the metadata has their number.
  prices: [],
} as const;

const FLASH_2_5 = shapes({
  '1:1': '1024x1024',
  '2:3': '832x1248',
  '3:2': '1248x832',
  '3:4': '864x1184',
  '4:3': '1184x864',
  '4:5': '896x1152',
  '5:4': '1152x896',
  '9:16': '768x1344',
  '16:9': '1344x768',
  '21:9': '1536x672',
});

const RATIOS_3 = {
  '1:1': '1024x1024',
  '2:3': '848x1264',
  '3:2': '1264x848',
  '3:4': '896x1200',
  '4:3': '1200x896',
  '4:5': '928x1152',
  '5:4': '1152x928',
  '9:16': '768x1376',
  '16:9': '1376x768',
  '21:9': '1584x672',
} as const;

const GEMINI_3 = {
  ...GEMINI,
  ...sized({ ...shapes(RATIOS_3, '1K'), ...shapes(RATIOS_3, '2K', 2), ...shapes(RATIOS_3, '4K', 4) }),
  edits: { maxReferences: 14, mask: false },
} as const;

function sized(table: ShapedModel['shapes']): Pick<ShapedModel, 'sizes' | 'shapes'> {
  return { sizes: Object.keys(table), shapes: table };
}

/**
 * Google's image models as of 2026-11-21, with the default first. For previews and for 2.5 Google names only
 * the earliest day of a shutdown. Those days are past, but the models may still be served, so they stay in
 * the table.
 * @see https://ai.google.dev/gemini-api/docs/image-generation
 * @see https://ai.google.dev/gemini-api/docs/deprecations
 */
export const GOOGLE_MODELS: readonly ShapedModel[] = [
  { ...GEMINI_3, id: 'gemini-3.1-flash-image' },
  { ...GEMINI_3, id: 'gemini-3-pro-image' },
  { ...GEMINI_3, id: 'gemini-3-pro-image-preview' },
  { ...GEMINI_3, id: 'gemini-3.1-flash-image-preview' },
  {
    ...GEMINI,
    ...sized(FLASH_2_5),
    id: 'gemini-2.5-flash-image',
    edits: { maxReferences: 3, mask: false },
  },
];
