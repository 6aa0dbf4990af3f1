import type { Model } from '../provider.ts';

/** A row of FAL_MODELS. What makes a new picture and what works from one are models of their own at fal; a row joins them. */
export interface FalModel extends Model {
  readonly editId: string | null;
  readonly maskedEditId: string | null;
  /** Whether it takes a list of references (`image_urls`) or the one (`image_url`). */
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
  // Billed by the megapixel.
  prices: [],
  editId: null,
  maskedEditId: null,
  takesMany: false,
} as const;

/**
 * Models at fal as of 2026-11-21, the first one the default.
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
