import type { Model } from '../provider.ts';

/** A row of FAL_MODELS. At fal, new pictures and edits are separate models; a row joins them. */
export interface FalModel extends Model {
  /** Id of the model that edits; null: there is none. */
  readonly editId: string | null;
  /** Id of the model that edits with a mask; null: there is none. */
  readonly maskedEditId: string | null;
  /** Whether edits take a list of references (`image_urls`) instead of a single one (`image_url`). */
  readonly takesMany: boolean;
}

const FLUX = {
  provider: 'fal',
  sizes: [
    '1024x1024',
    '512x512',
    '1024x768',
    '768x1024',
    '1024x576',
    '576x1024',
    '1280x720',
    '720x1280',
    '1536x1024',
    '1024x1536',
  ],
  defaultSize: '1024x1024',
  qualities: [],
  styles: [],
  maxPromptLength: 10_000,
  edits: null,
  seeds: true,
  transparency: false,
  formats: ['png', 'jpeg'],
  // Billed by megapixel.
  prices: [],
  editId: null,
  maskedEditId: null,
  takesMany: false,
} as const;

/**
 * Models at fal as of 2026-11-21, with the default first.
 * @see https://fal.ai/models
 */
export const FAL_MODELS: readonly FalModel[] = [
  { ...FLUX, id: 'fal-ai/flux/schnell' },
  {
    ...FLUX,
    id: 'fal-ai/flux/dev',
    edits: { maxReferences: 1, mask: false },
    editId: 'fal-ai/flux/dev/image-to-image',
  },
  {
    ...FLUX,
    id: 'fal-ai/flux-2',
    edits: { maxReferences: 3, mask: false },
    editId: 'fal-ai/flux-2/edit',
    takesMany: true,
  },
  { ...FLUX, id: 'fal-ai/flux-pro/v1.1' },
  {
    ...FLUX,
    id: 'fal-ai/flux-general',
    edits: { maxReferences: 1, mask: true },
    editId: 'fal-ai/flux-general/image-to-image',
    maskedEditId: 'fal-ai/flux-general/inpainting',
  },
  { ...FLUX, id: 'fal-ai/qwen-image' },
];
