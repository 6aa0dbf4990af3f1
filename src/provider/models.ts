/**
 * What models can do, and the check of a request against it. The check is the gate before money is spent: providers bill,
 * warn about or silently change what does not fit, so nothing reaches one that its table row does not allow. A request that
 * no model could take is `INVALID_INPUT`; one that another model might take is `UNSUPPORTED_BY_MODEL`.
 */
import { InputError } from '../errors.ts';
import type { Model, PictureFormat, PictureRequest, Price } from './provider.ts';

/** What the user asked for, as it came in. */
export interface AskedPicture {
  readonly prompt: string;
  /** `WIDTHxHEIGHT` in pixels; without it, the model's default. */
  readonly size?: string | null | undefined;
  /** Without it, the provider decides. */
  readonly quality?: string | null | undefined;
  /** Without it, the provider decides. */
  readonly style?: string | null | undefined;
  readonly seed?: number | null | undefined;
  readonly background?: 'transparent' | null | undefined;
  readonly format?: PictureFormat | null | undefined;
  /** How many pictures it is to work from. */
  readonly references?: number;
  readonly mask?: boolean;
}

export type PictureSettings = Pick<
  PictureRequest,
  'size' | 'quality' | 'style' | 'seed' | 'background' | 'format'
>;

export const MAX_SEED = 2 ** 31 - 1;

/**
 * Checks what was asked against what the model can do, and fills in the default size.
 * @returns the settings to put into a PictureRequest. The prompt is checked and left as it is.
 * @throws InputError `INVALID_INPUT` for a blank prompt or a malformed size, `UNSUPPORTED_BY_MODEL` for what this model
 *   cannot do; the message names the model and what it allows, and `path` the field of the input.
 */
export function checkRequest(model: Model, asked: AskedPicture): PictureSettings {
  checkPrompt(model, asked.prompt);
  checkEdit(model, asked);
  const { seed = null, background = null, format = null } = asked;
  if (seed !== null && !(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    throw new InputError('INVALID_INPUT', `The seed is ${seed}; it goes from 0 to ${MAX_SEED}.`, {
      path: ['input', 'seed'],
    });
  }
  if (seed !== null && !model.seeds) throw unsupported(model, 'seed', 'takes no seed');
  if (background !== null && !model.transparency)
    throw unsupported(model, 'background', 'cannot leave the background transparent');
  if (format !== null && !model.formats.includes(format)) {
    const takes = model.formats.length > 0 ? `makes ${listed(model.formats)}` : 'decides the format itself';
    throw unsupported(model, 'format', `cannot be asked for ${format}; it ${takes}`);
  }
  if (background !== null && format === 'jpeg')
    throw unsupported(model, 'format', 'cannot make a transparent JPEG; ask for png or webp');
  return {
    seed,
    background,
    format,
    size: checkSize(model, asked.size ?? model.defaultSize),
    quality: checkChoice(model, 'quality', model.qualities, asked.quality),
    style: checkChoice(model, 'style', model.styles, asked.style),
  };
}

/**
 * Reads `WIDTHxHEIGHT`: two whole numbers of pixels without sign, space or leading zero, so that one size has one spelling.
 * @throws InputError `INVALID_INPUT` for anything else.
 */
export function parseSize(size: string): { width: number; height: number } {
  const [, width, height] = /^([1-9]\d*)x([1-9]\d*)$/.exec(size) ?? [];
  if (width === undefined || height === undefined) {
    throw new InputError(
      'INVALID_INPUT',
      `The size ${quote(size)} is not understood. Write it as WIDTHxHEIGHT in pixels, each at least 1, such as 1024x1024.`,
      { path: ['input', 'size'] },
    );
  }
  return { width: Number(width), height: Number(height) };
}

function checkEdit(model: Model, { references = 0, mask = false }: AskedPicture): void {
  if (references > 0 && model.edits === null)
    throw unsupported(model, 'references', 'makes new pictures only and takes no references');
  const most = model.edits?.maxReferences ?? 0;
  if (references > most)
    throw unsupported(model, 'references', `takes at most ${most} references, not ${references}`);
  if (mask && !model.edits?.mask) throw unsupported(model, 'mask', 'takes no mask');
  if (mask && references === 0) {
    throw new InputError('INVALID_INPUT', 'There is a mask and no reference for it to lie upon.', {
      path: ['input', 'mask'],
    });
  }
}

function unsupported(model: Model, field: string, cannot: string): InputError {
  return new InputError('UNSUPPORTED_BY_MODEL', `The model ${model.id} ${cannot}.`, {
    path: ['input', field],
  });
}

function checkPrompt(model: Model, prompt: string): void {
  const path = ['input', 'prompt'];
  if (prompt.trim() === '') {
    throw new InputError('INVALID_INPUT', 'The prompt is empty. Say in words what the picture shall show.', {
      path,
    });
  }
  if (prompt.length > model.maxPromptLength) {
    throw new InputError(
      'UNSUPPORTED_BY_MODEL',
      `The prompt has ${prompt.length} characters; the model ${model.id} takes at most ${model.maxPromptLength}.`,
      { path },
    );
  }
}

function checkSize(model: Model, size: string): string {
  const { width, height } = parseSize(size);
  const { sizes } = model;
  const fits =
    'minSide' in sizes
      ? Math.min(width, height) >= sizes.minSide && Math.max(width, height) <= sizes.maxSide
      : sizes.includes(size);
  if (!fits) {
    const allowed =
      'minSide' in sizes
        ? `It takes any size whose sides are from ${sizes.minSide} to ${sizes.maxSide} pixels.`
        : `It takes ${listed(sizes)}.`;
    throw new InputError(
      'UNSUPPORTED_BY_MODEL',
      `The model ${model.id} cannot make a picture of ${quote(size)}. ${allowed}`,
      { path: ['input', 'size'] },
    );
  }
  return size;
}

function checkChoice(
  model: Model,
  setting: 'quality' | 'style',
  choices: readonly string[],
  asked: string | null | undefined,
): string | null {
  if (asked === null || asked === undefined) return null;
  if (choices.includes(asked)) return asked;
  const message =
    choices.length === 0
      ? `The model ${model.id} knows no ${setting}. Leave ${setting} out.`
      : `The model ${model.id} does not know the ${setting} ${quote(asked)}. It takes ${listed(choices)}.`;
  throw new InputError('UNSUPPORTED_BY_MODEL', message, { path: ['input', setting] });
}

/** As it came, but never long enough to fill a log. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function listed(choices: readonly string[]): string {
  if (choices.length < 2) return choices.join();
  return `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}

/** What one picture costs in US dollars by the model's own table, or null where no price is published for such a request. */
export function priceOf(model: Model, request: Pick<PictureRequest, 'size' | 'quality'>): number | null {
  const fits = ({ size, quality }: Price) =>
    (size === undefined || size === request.size) && (quality === undefined || quality === request.quality);
  return model.prices.find(fits)?.usd ?? null;
}
