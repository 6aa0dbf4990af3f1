import {
  asDigits,
  asNumber,
  asObject,
  asText,
  type JsonObject,
  ownProperty,
  parseJsonObject,
} from './json-values.ts';
import type { Recipe } from './recipe.ts';

/**
 * Reads the three forms of InvokeAI: `invokeai_metadata` (since version 3), `sd-metadata`, and the command
 * `Dream`.
 */
export function parseInvokeai(texts: ReadonlyMap<string, string>): Recipe | null {
  const metadata = parseJsonObject(texts.get('invokeai_metadata'));
  if (metadata) return fromMetadata(metadata);
  const older = parseJsonObject(texts.get('sd-metadata'));
  if (older) return fromOlder(older);
  return fromCommand(texts.get('Dream'));
}

function fromMetadata(metadata: JsonObject): Recipe {
  const model = ownProperty(metadata, 'model');
  const named = ['name', 'model_name', 'key'].map((key) => asText(ownProperty(asObject(model), key)));
  return {
    generator: 'InvokeAI',
    prompt: asText(ownProperty(metadata, 'positive_prompt')),
    negativePrompt: asText(ownProperty(metadata, 'negative_prompt')),
    model: named.find((name) => name !== null) ?? asText(model),
    seed: asDigits(ownProperty(metadata, 'seed')),
    steps: asNumber(ownProperty(metadata, 'steps')),
    sampler: asText(ownProperty(metadata, 'scheduler')),
    cfgScale: asNumber(ownProperty(metadata, 'cfg_scale')),
  };
}

function fromOlder(metadata: JsonObject): Recipe {
  const image = asObject(ownProperty(metadata, 'image'));
  const prompt = ownProperty(image, 'prompt');
  const parts = Array.isArray(prompt) ? prompt : [{ prompt }];
  const words = parts
    .map((part) => asText(ownProperty(asObject(part), 'prompt')))
    .filter((part) => part !== null);
  return {
    generator: 'InvokeAI',
    ...splitNegative(words.join(' ')),
    model: asText(ownProperty(metadata, 'model_weights')),
    seed: asDigits(ownProperty(image, 'seed')),
    steps: asNumber(ownProperty(image, 'steps')),
    sampler: asText(ownProperty(image, 'sampler')),
    cfgScale: asNumber(ownProperty(image, 'cfg_scale')),
  };
}

/** Reads a command such as `"a fox [blurry]" -s 50 -S 42 -C 7.5 -A k_lms`. */
function fromCommand(command: string | undefined): Recipe | null {
  const [, prompt, options] = /^\s*"([^"]*)"(.*)$/s.exec(command ?? '') ?? [];
  if (prompt === undefined || options === undefined) return null;
  const option = (letter: string) => new RegExp(`\\s-${letter}\\s?([\\w.+-]{1,60})`).exec(options)?.[1];
  return {
    generator: 'InvokeAI',
    ...splitNegative(prompt),
    seed: asDigits(option('S')),
    steps: asNumber(option('s')),
    sampler: option('A') ?? null,
    cfgScale: asNumber(option('C')),
  };
}

/** Splits off the negative prompt, which older versions write in brackets. */
function splitNegative(text: string): Pick<Recipe, 'prompt' | 'negativePrompt'> {
  const unwanted = [...text.matchAll(/\[([^[\]]*)\]/g)].map(([, words = '']) => words.trim());
  return {
    prompt: text.replaceAll(/\[[^[\]]*\]/g, '').trim(),
    negativePrompt: unwanted.length > 0 ? unwanted.join(', ') : null,
  };
}
