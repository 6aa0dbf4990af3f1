import { asDigits, asNumber } from './json-values.ts';
import type { Recipe } from './recipe.ts';

/** Names of texts that may have this form: `parameters` in PNG, comments in other formats. */
const NAMES = ['parameters', 'exif:UserComment', 'xmp:UserComment', 'Comment', 'exif:ImageDescription'];

/**
 * `Name: value`. Values with commas are quoted,
 * https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/infotext_utils.py
 */
const SETTING = /\s*(\w[\w /-]{0,60}):\s*("(?:\\.|[^\\"]){0,4000}"|[^,]*)(?:,|$)/g;
const MAX_SETTINGS_LENGTH = 8000;
/** The line may be indented, because the web UI trims lines before it reads them. */
const NEGATIVE = /^\s*Negative prompt:/;

/**
 * Reads the form of AUTOMATIC1111, which Forge, SD.Next and Civitai use too: the prompt, `Negative prompt:`,
 * and a line of settings that begins with `Steps:`.
 */
export function parseAutomatic1111(texts: ReadonlyMap<string, string>): Recipe | null {
  for (const name of NAMES) {
    const recipe = parseParameters(texts.get(name));
    if (recipe) return recipe;
  }
  return null;
}

function parseParameters(text: string | undefined): Recipe | null {
  if (text === undefined) return null;
  const lines = text.trim().split(/\r?\n/);
  const at = lines.findLastIndex((line) => /^\s*Steps: \d/.test(line));
  if (at === -1) return null;
  const settings = new Map<string, string>();
  for (const [, name = '', value = ''] of (lines[at] ?? '').slice(0, MAX_SETTINGS_LENGTH).matchAll(SETTING)) {
    const key = name.trim().toLowerCase();
    if (!settings.has(key)) settings.set(key, unquote(value.trim()));
  }
  const promptLines = lines.slice(0, at);
  const negative = promptLines.findIndex((line) => NEGATIVE.test(line));
  const prompt = negative === -1 ? promptLines : promptLines.slice(0, negative);
  return {
    generator: 'AUTOMATIC1111',
    prompt: prompt.join('\n').trim(),
    negativePrompt:
      negative === -1 ? null : promptLines.slice(negative).join('\n').replace(NEGATIVE, '').trim(),
    model: settings.get('model') ?? null,
    seed: asDigits(settings.get('seed')),
    steps: asNumber(settings.get('steps')),
    sampler: settings.get('sampler') ?? null,
    cfgScale: asNumber(settings.get('cfg scale')),
  };
}

function unquote(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
