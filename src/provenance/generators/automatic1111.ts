import { digitsOf, numberOf, type Recipe } from './recipe.ts';

/** Where the text stands: in PNG by its own name, elsewhere as the comment of EXIF or of the file. */
const NAMES = ['parameters', 'exif:UserComment', 'xmp:UserComment', 'Comment', 'exif:ImageDescription'];

/** `Name: value`, values that hold commas in quotes: https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/infotext_utils.py */
const SETTING = /\s*(\w[\w /-]{0,60}):\s*("(?:\\.|[^\\"]){0,4000}"|[^,]*)(?:,|$)/g;
const MAX_SETTINGS_LENGTH = 8000;
/** Lines may be indented: the web UI itself trims each line before it reads it. */
const NEGATIVE = /^\s*Negative prompt:/;

/**
 * The form of AUTOMATIC1111 and of all that followed it (Forge, SD.Next, Civitai): the prompt, `Negative prompt:` and a line of settings
 * that begins with `Steps:`.
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
  const said = lines.slice(0, at);
  const negative = said.findIndex((line) => NEGATIVE.test(line));
  const prompt = negative === -1 ? said : said.slice(0, negative);
  return {
    generator: 'AUTOMATIC1111',
    prompt: prompt.join('\n').trim(),
    negativePrompt: negative === -1 ? null : said.slice(negative).join('\n').replace(NEGATIVE, '').trim(),
    model: settings.get('model') ?? null,
    seed: digitsOf(settings.get('seed')),
    steps: numberOf(settings.get('steps')),
    sampler: settings.get('sampler') ?? null,
    cfgScale: numberOf(settings.get('cfg scale')),
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
