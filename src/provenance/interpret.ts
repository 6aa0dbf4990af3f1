import { cleanText, cutText, type Embedded, LIMITS } from './embedded.ts';
import { type Exif, parseExif } from './exif.ts';
import { parseAutomatic1111 } from './generators/automatic1111.ts';
import { parseComfyui } from './generators/comfyui.ts';
import { parseInvokeai } from './generators/invokeai.ts';
import type { Recipe } from './generators/recipe.ts';
import { parseDrawThings, parseFooocus, parseNovelai } from './generators/settings.ts';
import type { Provenance } from './provenance.ts';
import { parseXmp } from './xmp.ts';

/** Parsers in order of trust. The first that recognises its own form decides. */
const GENERATORS: readonly ((texts: ReadonlyMap<string, string>) => Recipe | null)[] = [
  parseInvokeai,
  parseNovelai,
  parseFooocus,
  parseDrawThings,
  // Before ComfyUI, because some of its nodes write both forms, and `parameters` is simpler to read than the
  // graph.
  parseAutomatic1111,
  parseComfyui,
];

/** Translates the embedded parts of a file into provenance. */
export function interpretEmbedded(embedded: Embedded): Provenance {
  const exif = embedded.exif && parseExif(embedded.exif);
  const xmp = embedded.xmp === null ? null : parseXmp(embedded.xmp);
  const texts = new Map(embedded.texts);
  if (exif?.userComment) texts.set('exif:UserComment', exif.userComment);
  if (xmp?.userComment) texts.set('xmp:UserComment', xmp.userComment);
  const fields = exif && takeGraphs(exif, texts);
  if (fields?.description) texts.set('exif:ImageDescription', fields.description);

  let recipe: Recipe | null = null;
  for (const parse of GENERATORS) recipe ??= parse(texts);
  return {
    generator: recipe?.generator ?? null,
    prompt: keepText(recipe?.prompt),
    negativePrompt: keepText(recipe?.negativePrompt),
    model: keepText(recipe?.model, 200),
    seed: keepText(recipe?.seed, 100),
    steps: finite(recipe?.steps),
    sampler: keepText(recipe?.sampler, 200),
    cfgScale: finite(recipe?.cfgScale),
    software: keepText(exif?.software ?? xmp?.creatorTool ?? texts.get('Software'), 200),
    camera: keepText(fields && cameraOf(fields), 200),
    takenAt: keepText(exif?.takenAt),
    digitalSourceType: keepText(xmp?.digitalSourceType, 200),
    description: keepText(xmp?.description ?? fields?.description ?? texts.get('Description')),
    raw: keepRaw(texts),
    hasContentCredentials: embedded.hasContentCredentials,
  };
}

/**
 * Moves ComfyUI's graphs from EXIF fields into `texts`. In WebP, ComfyUI writes `prompt:{…}` and
 * `workflow:{…}` into arbitrary fields of EXIF, because WebP has no text chunks.
 * @returns the fields without the graphs
 */
function takeGraphs(exif: Exif, texts: Map<string, string>): Pick<Exif, 'description' | 'make' | 'model'> {
  const rest = { description: exif.description, make: exif.make, model: exif.model };
  for (const field of ['description', 'make', 'model'] as const) {
    const [, name, json] = /^(prompt|workflow):\s*(\{.*)$/is.exec(rest[field] ?? '') ?? [];
    if (!name || !json) continue;
    if (!texts.has(name.toLowerCase())) texts.set(name.toLowerCase(), json);
    rest[field] = null;
  }
  return rest;
}

/** Joins make and model. The make is left out when the model begins with it. */
function cameraOf({ make, model }: Pick<Exif, 'make' | 'model'>): string | null {
  if (make === null || model === null) return make ?? model;
  return model.toLowerCase().startsWith(make.toLowerCase()) ? model : `${make} ${model}`;
}

/** Cleans a text and cuts it to `maxBytes` bytes of UTF-8; null when nothing is left. */
function keepText(text: string | null | undefined, maxBytes: number = LIMITS.keptTextBytes): string | null {
  const clean = cutText(cleanText(text ?? ''), maxBytes);
  return clean === '' ? null : clean;
}

const finite = (value: number | null | undefined) =>
  value !== null && value !== undefined && Number.isFinite(value) ? value : null;

/**
 * Keeps as many texts as the limit allows. JSON stays text, because parsing and writing it again would change
 * its large numbers.
 */
function keepRaw(texts: ReadonlyMap<string, string>): Record<string, unknown> {
  const kept: [string, string][] = [];
  let left: number = LIMITS.keptBytes;
  for (const [name, text] of texts) {
    const value = keepText(text);
    const bytes = value === null ? 0 : Buffer.byteLength(JSON.stringify([name, value]));
    if (value === null || bytes > left) continue;
    left -= bytes;
    kept.push([name, value]);
  }
  // `Object.fromEntries` makes an own property even of the name __proto__.
  return Object.fromEntries(kept);
}
