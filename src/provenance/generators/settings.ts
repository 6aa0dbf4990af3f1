import { digitsOf, numberOf, own, parseObject, type Recipe, textOf } from './recipe.ts';

/** NovelAI: the prompt as `Description`, the rest as JSON in `Comment`. */
export function parseNovelai(texts: ReadonlyMap<string, string>): Recipe | null {
  if (texts.get('Software') !== 'NovelAI') return null;
  const settings = parseObject(texts.get('Comment'));
  return {
    generator: 'NovelAI',
    prompt: textOf(own(settings, 'prompt')) ?? texts.get('Description') ?? null,
    negativePrompt: textOf(own(settings, 'uc')),
    model: texts.get('Source') ?? null,
    seed: digitsOf(own(settings, 'seed')),
    steps: numberOf(own(settings, 'steps')),
    sampler: textOf(own(settings, 'sampler')),
    cfgScale: numberOf(own(settings, 'scale')),
  };
}

/** Fooocus: JSON under the name that AUTOMATIC1111 uses, or in the comment of EXIF. */
export function parseFooocus(texts: ReadonlyMap<string, string>): Recipe | null {
  for (const name of ['parameters', 'exif:UserComment', 'Comment']) {
    const settings = parseObject(texts.get(name));
    if (own(settings, 'base_model') === undefined) continue;
    return {
      generator: 'Fooocus',
      prompt: textOf(own(settings, 'prompt')),
      negativePrompt: textOf(own(settings, 'negative_prompt')),
      model: textOf(own(settings, 'base_model')),
      seed: digitsOf(own(settings, 'seed')),
      steps: numberOf(own(settings, 'steps')),
      sampler: textOf(own(settings, 'sampler')),
      cfgScale: numberOf(own(settings, 'guidance_scale')),
    };
  }
  return null;
}

/** Draw Things: JSON with short names in the UserComment of XMP or EXIF. */
export function parseDrawThings(texts: ReadonlyMap<string, string>): Recipe | null {
  for (const name of ['xmp:UserComment', 'exif:UserComment']) {
    const settings = parseObject(texts.get(name));
    if (textOf(own(settings, 'c')) === null) continue;
    return {
      generator: 'Draw Things',
      prompt: textOf(own(settings, 'c')),
      negativePrompt: textOf(own(settings, 'uc')),
      model: textOf(own(settings, 'model')),
      seed: digitsOf(own(settings, 'seed')),
      steps: numberOf(own(settings, 'steps')),
      sampler: textOf(own(settings, 'sampler')),
      cfgScale: numberOf(own(settings, 'scale')),
    };
  }
  return null;
}
