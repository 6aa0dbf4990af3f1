import { asDigits, asNumber, asText, ownProperty, parseJsonObject } from './json-values.ts';
import type { Recipe } from './recipe.ts';

/** Reads NovelAI: the prompt from `Description`, the settings from JSON in `Comment`. */
export function parseNovelai(texts: ReadonlyMap<string, string>): Recipe | null {
  if (texts.get('Software') !== 'NovelAI') return null;
  const settings = parseJsonObject(texts.get('Comment'));
  return {
    generator: 'NovelAI',
    prompt: asText(ownProperty(settings, 'prompt')) ?? texts.get('Description') ?? null,
    negativePrompt: asText(ownProperty(settings, 'uc')),
    model: texts.get('Source') ?? null,
    seed: asDigits(ownProperty(settings, 'seed')),
    steps: asNumber(ownProperty(settings, 'steps')),
    sampler: asText(ownProperty(settings, 'sampler')),
    cfgScale: asNumber(ownProperty(settings, 'scale')),
  };
}

/** Reads Fooocus: JSON in `parameters`, which AUTOMATIC1111 uses too, or in a comment. */
export function parseFooocus(texts: ReadonlyMap<string, string>): Recipe | null {
  for (const name of ['parameters', 'exif:UserComment', 'Comment']) {
    const settings = parseJsonObject(texts.get(name));
    if (ownProperty(settings, 'base_model') === undefined) continue;
    return {
      generator: 'Fooocus',
      prompt: asText(ownProperty(settings, 'prompt')),
      negativePrompt: asText(ownProperty(settings, 'negative_prompt')),
      model: asText(ownProperty(settings, 'base_model')),
      seed: asDigits(ownProperty(settings, 'seed')),
      steps: asNumber(ownProperty(settings, 'steps')),
      sampler: asText(ownProperty(settings, 'sampler')),
      cfgScale: asNumber(ownProperty(settings, 'guidance_scale')),
    };
  }
  return null;
}

/** Reads Draw Things: JSON with short keys in the UserComment of XMP or EXIF. */
export function parseDrawThings(texts: ReadonlyMap<string, string>): Recipe | null {
  for (const name of ['xmp:UserComment', 'exif:UserComment']) {
    const settings = parseJsonObject(texts.get(name));
    if (asText(ownProperty(settings, 'c')) === null) continue;
    return {
      generator: 'Draw Things',
      prompt: asText(ownProperty(settings, 'c')),
      negativePrompt: asText(ownProperty(settings, 'uc')),
      model: asText(ownProperty(settings, 'model')),
      seed: asDigits(ownProperty(settings, 'seed')),
      steps: asNumber(ownProperty(settings, 'steps')),
      sampler: asText(ownProperty(settings, 'sampler')),
      cfgScale: asNumber(ownProperty(settings, 'scale')),
    };
  }
  return null;
}
