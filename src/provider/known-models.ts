import { BFL_MODELS } from './models/bfl.ts';
import { FAL_MODELS } from './models/fal.ts';
import { GOOGLE_MODELS } from './models/google.ts';
import { OPENAI_MODELS, shutDownOn } from './models/openai.ts';
import { REPLICATE_MODELS } from './models/replicate.ts';
import { XAI_MODELS } from './models/xai.ts';
import type { Model } from './provider.ts';

/** Every model that the tables know and that is not shut down, for the catalogue; Azure's and other endpoints' are known by their settings only. */
export function knownModels(today: Date): readonly Model[] {
  return [
    ...OPENAI_MODELS.filter((model) => !shutDownOn(model, today)),
    ...GOOGLE_MODELS,
    ...XAI_MODELS,
    ...BFL_MODELS,
    ...FAL_MODELS,
    ...REPLICATE_MODELS,
  ];
}
