import { cleanText, cutText, type Embedded, LIMITS } from './embedded.ts';
import { type Exif, parseExif } from './exif.ts';
import { parseAutomatic1111 } from './generators/automatic1111.ts';
import { parseComfyui } from './generators/comfyui.ts';
import { parseInvokeai } from './generators/invokeai.ts';
import type { Recipe } from './generators/recipe.ts';
import { parseDrawThings, parseFooocus, parseNovelai } from './generators/settings.ts';
import type { Provenance } from './provenance.ts';
import { parseXmp } from './xmp.ts';

/** In this order, the first that recognises its own form is believed. */
const GENERATORS: readonly ((texts: ReadonlyMap<string, string>) => Recipe | null)[] = [
  parseInvokeai,
  parseNovelai,
  parseFooocus,
  parseDrawThings,
  // After the others, and before ComfyUI: nodes exist that write both, and `parameters` says plainly what the graph hides.
  parseAutomatic1111,
  parseComfyui,
];

/** What the texts of a file mean. */
export function interpret(embedded: Embedded): Provenance {
  const exif = embedded.exif && parseExif(embedded.exif);
  const xmp = embedded.xmp === null ? null : parseXmp(embedded.xmp);
  const texts = new Map(embedded.texts);
  if (exif?.userComment) texts.set('exif:UserComment', exif.userComment);
  if (xmp?.userComment) texts.set('xmp:UserComment', xmp.userComment);
  const worded = exif && graphsInExif(exif, texts);
  if (worded?.description) texts.set('exif:ImageDescription', worded.description);

  let recipe: Recipe | null = null;
  for (const parse of GENERATORS) recipe ??= parse(texts);
  return {
    generator: recipe?.generator ?? null,
    prompt: keep(recipe?.prompt),
    negativePrompt: keep(recipe?.negativePrompt),
    model: keep(recipe?.model, 200),
    seed: keep(recipe?.seed, 100),
    steps: finite(recipe?.steps),
    sampler: keep(recipe?.sampler, 200),
    cfgScale: finite(recipe?.cfgScale),
    software: keep(exif?.software ?? xmp?.creatorTool ?? texts.get('Software'), 200),
    camera: keep(worded && cameraOf(worded), 200),
    takenAt: keep(exif?.takenAt),
    digitalSourceType: keep(xmp?.digitalSourceType, 200),
    description: keep(xmp?.description ?? worded?.description ?? texts.get('Description')),
    raw: keepRaw(texts),
    hasContentCredentials: embedded.hasContentCredentials,
  };
}

/** ComfyUI has no texts of its own in WebP, and writes `prompt:{…}` and `workflow:{…}` into any fields of EXIF. */
function graphsInExif(exif: Exif, texts: Map<string, string>): Pick<Exif, 'description' | 'make' | 'model'> {
  const rest = { description: exif.description, make: exif.make, model: exif.model };
  for (const field of ['description', 'make', 'model'] as const) {
    const [, name, json] = /^(prompt|workflow):\s*(\{.*)$/is.exec(rest[field] ?? '') ?? [];
    if (!name || !json) continue;
    if (!texts.has(name.toLowerCase())) texts.set(name.toLowerCase(), json);
    rest[field] = null;
  }
  return rest;
}

/** Makers often repeat themselves in the name of the model. */
function cameraOf({ make, model }: Pick<Exif, 'make' | 'model'>): string | null {
  if (make === null || model === null) return make ?? model;
  return model.toLowerCase().startsWith(make.toLowerCase()) ? model : `${make} ${model}`;
}

function keep(text: string | null | undefined, maxLength: number = LIMITS.keptTextBytes): string | null {
  const clean = cutText(cleanText(text ?? ''), maxLength);
  return clean === '' ? null : clean;
}

const finite = (value: number | null | undefined) =>
  value !== null && value !== undefined && Number.isFinite(value) ? value : null;

/** As much as fits; as texts, because JSON read and written again would change the numbers in it. */
function keepRaw(texts: ReadonlyMap<string, string>): Record<string, unknown> {
  const kept: [string, string][] = [];
  let left: number = LIMITS.keptBytes;
  for (const [name, text] of texts) {
    const value = keep(text);
    const bytes = value === null ? 0 : Buffer.byteLength(JSON.stringify([name, value]));
    if (value === null || bytes > left) continue;
    left -= bytes;
    kept.push([name, value]);
  }
  // Entries become properties of the object itself, also one that is called __proto__.
  return Object.fromEntries(kept);
}
