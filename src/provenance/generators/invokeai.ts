import {
  digitsOf,
  type JsonObject,
  numberOf,
  objectOf,
  own,
  parseObject,
  type Recipe,
  textOf,
} from './recipe.ts';

/** InvokeAI in its three forms: `invokeai_metadata` since 3, `sd-metadata` before, and `Dream`, the command it all began with. */
export function parseInvokeai(texts: ReadonlyMap<string, string>): Recipe | null {
  const metadata = parseObject(texts.get('invokeai_metadata'));
  if (metadata) return fromMetadata(metadata);
  const older = parseObject(texts.get('sd-metadata'));
  if (older) return fromOlder(older);
  return fromCommand(texts.get('Dream'));
}

function fromMetadata(metadata: JsonObject): Recipe {
  const model = own(metadata, 'model');
  const named = ['name', 'model_name', 'key'].map((key) => textOf(own(objectOf(model), key)));
  return {
    generator: 'InvokeAI',
    prompt: textOf(own(metadata, 'positive_prompt')),
    negativePrompt: textOf(own(metadata, 'negative_prompt')),
    model: named.find((name) => name !== null) ?? textOf(model),
    seed: digitsOf(own(metadata, 'seed')),
    steps: numberOf(own(metadata, 'steps')),
    sampler: textOf(own(metadata, 'scheduler')),
    cfgScale: numberOf(own(metadata, 'cfg_scale')),
  };
}

function fromOlder(metadata: JsonObject): Recipe {
  const image = objectOf(own(metadata, 'image'));
  const prompt = own(image, 'prompt');
  const parts = Array.isArray(prompt) ? prompt : [{ prompt }];
  const words = parts.map((part) => textOf(own(objectOf(part), 'prompt'))).filter((part) => part !== null);
  return {
    generator: 'InvokeAI',
    ...splitNegative(words.join(' ')),
    model: textOf(own(metadata, 'model_weights')),
    seed: digitsOf(own(image, 'seed')),
    steps: numberOf(own(image, 'steps')),
    sampler: textOf(own(image, 'sampler')),
    cfgScale: numberOf(own(image, 'cfg_scale')),
  };
}

/** `"a fox [blurry]" -s 50 -S 42 -C 7.5 -A k_lms` */
function fromCommand(command: string | undefined): Recipe | null {
  const [, prompt, options] = /^\s*"([^"]*)"(.*)$/s.exec(command ?? '') ?? [];
  if (prompt === undefined || options === undefined) return null;
  const option = (letter: string) => new RegExp(`\\s-${letter}\\s?([\\w.+-]{1,60})`).exec(options)?.[1];
  return {
    generator: 'InvokeAI',
    ...splitNegative(prompt),
    seed: digitsOf(option('S')),
    steps: numberOf(option('s')),
    sampler: option('A') ?? null,
    cfgScale: numberOf(option('C')),
  };
}

/** What stood in brackets was not wanted. */
function splitNegative(text: string): Pick<Recipe, 'prompt' | 'negativePrompt'> {
  const unwanted = [...text.matchAll(/\[([^[\]]*)\]/g)].map(([, words = '']) => words.trim());
  return {
    prompt: text.replaceAll(/\[[^[\]]*\]/g, '').trim(),
    negativePrompt: unwanted.length > 0 ? unwanted.join(', ') : null,
  };
}
