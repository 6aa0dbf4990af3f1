/**
 * Checks a request against what its model can do, before it costs money. Providers bill for requests that do
 * not fit, or change them silently, so no request is sent that the model's row does not allow.
 *
 * `INVALID_INPUT`: no model could accept the request. `UNSUPPORTED_BY_MODEL`: another model might.
 */
import { InputError } from '../errors.ts';
import type { Model, PictureFormat, PictureRequest, Price } from './provider.ts';

/** The client's request, not yet checked. */
export interface UncheckedRequest {
  readonly prompt: string;
  /** `WIDTHxHEIGHT` in pixels. Default: the model's. */
  readonly size?: string | null | undefined;
  /** Default: the provider decides. */
  readonly quality?: string | null | undefined;
  /** Default: the provider decides. */
  readonly style?: string | null | undefined;
  readonly seed?: number | null | undefined;
  readonly background?: 'transparent' | null | undefined;
  readonly format?: PictureFormat | null | undefined;
  /** Number of references. Default: 0. */
  readonly references?: number;
  /** Whether there is a mask. Default: false. */
  readonly mask?: boolean;
}

export type PictureSettings = Pick<
  PictureRequest,
  'size' | 'quality' | 'style' | 'seed' | 'background' | 'format'
>;

export const MAX_SEED = 2 ** 31 - 1;

/**
 * Checks the request and fills in the default size. The prompt is checked but not returned.
 * @returns the settings of a PictureRequest
 * @throws InputError `INVALID_INPUT` or `UNSUPPORTED_BY_MODEL`; the message says what the model allows, and
 *   `path` names the field of the input
 */
export function checkRequest(model: Model, requested: UncheckedRequest): PictureSettings {
  checkPrompt(model, requested.prompt);
  checkEdit(model, requested);
  const { seed = null, background = null, format = null } = requested;
  if (seed !== null && !(Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED)) {
    throw new InputError(
      'INVALID_INPUT',
      `The seed ${seed} is not allowed. Give a whole number from 0 to ${MAX_SEED}.`,
      {
        path: ['input', 'seed'],
      },
    );
  }
  if (seed !== null && !model.seeds) throw unsupported(model, 'seed', 'accepts no seed');
  if (background !== null && !model.transparency)
    throw unsupported(model, 'background', 'cannot make a transparent background');
  if (format !== null && !model.formats.includes(format)) {
    const hint =
      model.formats.length > 0
        ? `Choose ${joinWithOr(model.formats)}`
        : 'Leave format out: the provider decides it';
    throw unsupported(model, 'format', `cannot make ${format} on request. ${hint}`);
  }
  if (background !== null && format === 'jpeg')
    throw unsupported(model, 'format', 'cannot make a transparent JPEG. Choose png or webp');
  return {
    seed,
    background,
    format,
    size: checkSize(model, requested.size ?? model.defaultSize),
    quality: checkChoice(model, 'quality', model.qualities, requested.quality),
    style: checkChoice(model, 'style', model.styles, requested.style),
  };
}

/**
 * Reads `WIDTHxHEIGHT`, two whole numbers of pixels from 1. Signs, spaces and leading zeros are rejected, so
 * that every size has exactly one spelling.
 * @throws InputError `INVALID_INPUT` for any other text
 */
export function parseSize(size: string): { width: number; height: number } {
  const [, width, height] = /^([1-9]\d*)x([1-9]\d*)$/.exec(size) ?? [];
  if (width === undefined || height === undefined) {
    throw new InputError(
      'INVALID_INPUT',
      `The size ${quote(size)} is malformed. Write it as WIDTHxHEIGHT in pixels, each at least 1, such as 1024x1024.`,
      { path: ['input', 'size'] },
    );
  }
  return { width: Number(width), height: Number(height) };
}

function checkEdit(model: Model, { references = 0, mask = false }: UncheckedRequest): void {
  if (references > 0 && model.edits === null)
    throw unsupported(model, 'references', 'cannot edit and accepts no references');
  const most = model.edits?.maxReferences ?? 0;
  if (references > most)
    throw unsupported(model, 'references', `accepts at most ${most} references, not ${references}`);
  if (mask && !model.edits?.mask) throw unsupported(model, 'mask', 'accepts no mask');
  if (mask && references === 0) {
    throw new InputError(
      'INVALID_INPUT',
      'A mask needs a reference. Add the picture that it masks as the first reference.',
      {
        path: ['input', 'mask'],
      },
    );
  }
}

function unsupported(model: Model, field: string, cannot: string): InputError {
  return new InputError('UNSUPPORTED_BY_MODEL', `Model ${model.id} ${cannot}.`, {
    path: ['input', field],
  });
}

function checkPrompt(model: Model, prompt: string): void {
  const path = ['input', 'prompt'];
  if (prompt.trim() === '') {
    throw new InputError('INVALID_INPUT', 'The prompt is empty. Describe the picture in words.', {
      path,
    });
  }
  if (prompt.length > model.maxPromptLength) {
    throw new InputError(
      'UNSUPPORTED_BY_MODEL',
      `The prompt has ${prompt.length} characters. Model ${model.id} accepts at most ${model.maxPromptLength}.`,
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
        ? `Choose a size with sides from ${sizes.minSide} to ${sizes.maxSide} pixels.`
        : `Choose ${joinWithOr(sizes)}.`;
    throw new InputError(
      'UNSUPPORTED_BY_MODEL',
      `Model ${model.id} cannot make pictures of the size ${quote(size)}. ${allowed}`,
      { path: ['input', 'size'] },
    );
  }
  return size;
}

function checkChoice(
  model: Model,
  setting: 'quality' | 'style',
  choices: readonly string[],
  requested: string | null | undefined,
): string | null {
  if (requested === null || requested === undefined) return null;
  if (choices.includes(requested)) return requested;
  const message =
    choices.length === 0
      ? `Model ${model.id} has no setting ${setting}. Leave ${setting} out.`
      : `Model ${model.id} does not know the ${setting} ${quote(requested)}. Choose ${joinWithOr(choices)}.`;
  throw new InputError('UNSUPPORTED_BY_MODEL', message, { path: ['input', setting] });
}

/** Quotes at most 40 characters, so that a long value does not fill the log. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function joinWithOr(choices: readonly string[]): string {
  if (choices.length < 2) return choices.join();
  return `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}

/** Returns the price of one picture in US dollars; null: none is published for such a request. */
export function priceOf(model: Model, request: Pick<PictureRequest, 'size' | 'quality'>): number | null {
  const fits = ({ size, quality }: Price) =>
    (size === undefined || size === request.size) && (quality === undefined || quality === request.quality);
  return model.prices.find(fits)?.usd ?? null;
}
