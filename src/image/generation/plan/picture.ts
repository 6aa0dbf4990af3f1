import { randomInt } from 'node:crypto';
import { checkRequest, MAX_SEED, type PictureSettings } from '../../../provider/models.ts';
import type { Model } from '../../../provider/provider.ts';
import { chooseSize, wantedSize } from '../../../tool/size.ts';
import type { AskedGeneration, PlanContext, PlannedImage } from './planned-image.ts';

/** Which picture of a plan to plan. */
export interface PicturePlace {
  readonly prompt: string;
  /** From 1. */
  readonly position: number;
  readonly count: number;
}

/** Further properties of panels and pages. */
export interface PictureOptions extends Partial<Pick<PlannedImage, 'partOf' | 'waitsFor' | 'refersTo'>> {
  readonly character?: string | null;
  /** Size to come near to, when neither the user nor the tool names one. */
  readonly nearSize?: string | null;
}

/** Plans a picture that a provider makes. @throws InputError for settings that the model does not take. */
export function planPicture(
  asked: AskedGeneration,
  context: PlanContext,
  { prompt, position, count }: PicturePlace,
  options: PictureOptions = {},
): PlannedImage {
  const { tool, epoch } = context;
  const model = context.model as Model;
  const { partOf = null, waitsFor = [], refersTo = null, character = null, nearSize = null } = options;
  const hasReference = context.references > 0 || refersTo !== null;
  const inSequence = tool.plan !== 'pictures';
  const full = tool.prompt({
    prompt,
    character,
    position: inSequence ? position : null,
    count,
    hasReference,
  });
  const { size, settings } = checkSettings({ ...asked, prompt: full }, context, {
    references: context.references + (refersTo === null ? 0 : 1),
    nearSize,
    // Panels and pages belong together, so they share the requested seed.
    seed: inSequence ? (asked.seed ?? null) : seedOf(asked.seed ?? null, { model, position, count }),
  });
  const stem = tool.stem({ epoch, position, count, size, model: model.id, hasReference });
  return {
    prompt,
    kind: 'ask',
    request: {
      lane: model.provider,
      tool: tool.name,
      prompt: full,
      size,
      settings,
      model: model.id,
      stem: partOf ? `${stem}-${partOf.part}` : stem,
      chart: null,
    },
    waitsFor,
    partOf,
    refersTo,
  };
}

/**
 * Returns the settings for the model, and the size of the finished image. The sizes differ only when the tool
 * changes the size.
 */
function checkSettings(
  asked: AskedGeneration & { prompt: string },
  { tool, hasMask, defaultFormat, ...context }: PlanContext,
  { references, nearSize, seed }: { references: number; nearSize: string | null; seed: number | null },
): { size: string; settings: PictureSettings } {
  const model = context.model as Model;
  const size = wantedSize(tool, asked.size) ?? nearSize ?? model.defaultSize;
  // A size that the user names is used or rejected. A size from the tool only has to come near.
  const isExact = asked.size != null && tool.finish === null;
  const background = asked.background ?? (model.transparency ? tool.background : null);
  const takesFormat = defaultFormat !== null && model.formats.includes(defaultFormat);
  const format =
    asked.format ?? (takesFormat && !(background && defaultFormat === 'jpeg') ? defaultFormat : null);
  const settings = checkRequest(model, {
    ...asked,
    size: isExact ? size : chooseSize(model, tool.drawnSize ?? size),
    background,
    format,
    seed,
    references,
    mask: hasMask,
  });
  return { size: tool.finish === null ? settings.size : size, settings };
}

/**
 * Returns the seed of one of several pictures: images from one prompt must differ. null: the model takes
 * none.
 */
function seedOf(
  seed: number | null,
  { model, position, count }: { model: Model; position: number; count: number },
): number | null {
  if (count === 1 || !model.seeds || (seed !== null && !(seed >= 0 && seed <= MAX_SEED))) return seed;
  return seed === null ? randomInt(MAX_SEED) : (seed + position - 1) % (MAX_SEED + 1);
}
