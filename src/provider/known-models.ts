import { BFL_MODELS } from './models/bfl.ts';
import { FAL_MODELS } from './models/fal.ts';
import { GOOGLE_MODELS } from './models/google.ts';
import { isShutDownOn, OPENAI_MODELS } from './models/openai.ts';
import { REPLICATE_MODELS } from './models/replicate.ts';
import { XAI_MODELS } from './models/xai.ts';
import type { Model } from './provider.ts';

/**
 * Returns the models of all tables that are not shut down on that day. Models of Azure and of compatible
 * endpoints are not among them, because only the settings name those.
 */
export function knownModels(today: Date): readonly Model[] {
  return [
    ...OPENAI_MODELS.filter((model) => !isShutDownOn(model, today)),
    ...GOOGLE_MODELS,
    ...XAI_MODELS,
    ...BFL_MODELS,
    ...FAL_MODELS,
    ...REPLICATE_MODELS,
  ];
}
