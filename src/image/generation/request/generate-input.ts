import { InputError } from '../../../errors.ts';
import type { Model } from '../../../provider/provider.ts';
import type { Providers } from '../../../provider/providers.ts';
import type { Tool } from '../../../tool/tool.ts';
import type { ImageInput } from '../../input.ts';
import type { AskedGeneration } from '../plan/planned-image.ts';
import type { PictureSource } from '../references.ts';

export const DEFAULT_WAIT_SECONDS = 25;
export const MAX_WAIT_SECONDS = 120;
/** Days for which the queue keeps scheduled generations. */
export const MAX_SCHEDULE_DAYS = 366;

export interface GenerateInput extends ImageInput, Omit<AskedGeneration, 'n'> {
  readonly model?: string | null | undefined;
  /** Number of images, 1 to 10. Default: 1. Each is a call to the provider and a row of its own. */
  readonly n?: number | null | undefined;
  /** Stored images, or files of the same request. */
  readonly references?: readonly PictureSource[] | null | undefined;
  readonly mask?: PictureSource | null | undefined;
  /**
   * uuid of the image that this is a new version of. It is the first reference, unless `references` are
   * given.
   */
  readonly parent?: string | null | undefined;
  /** Earliest time to begin. */
  readonly scheduledFor?: Date | null | undefined;
  /**
   * Seconds to wait for the images, 0 to 120. Default: 25. Unfinished images are returned as they are then.
   */
  readonly waitSeconds?: number | null | undefined;
}

/** @throws InputError INVALID_INPUT */
export function parseWaitSeconds(value: number | null | undefined): number {
  const seconds = value ?? DEFAULT_WAIT_SECONDS;
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  const message = `waitSeconds is ${seconds}; it must be an integer from 0 to ${MAX_WAIT_SECONDS}.`;
  throw new InputError('INVALID_INPUT', message, { path: ['input', 'waitSeconds'] });
}

/** Returns the time to begin at; null: now. @throws InputError INVALID_INPUT */
export function parseSchedule(time: Date | null): Date | null {
  if (time === null || time.getTime() <= Date.now()) return null;
  if (time.getTime() < Date.now() + MAX_SCHEDULE_DAYS * 86_400_000) return time;
  const message = `scheduledFor is more than ${MAX_SCHEDULE_DAYS} days ahead; choose an earlier time.`;
  throw new InputError('INVALID_INPUT', message, { path: ['input', 'scheduledFor'] });
}

/**
 * Returns the model to use; null: the tool draws without one.
 * @throws InputError INVALID_INPUT, and what providers.find throws.
 */
export function findModel(providers: Providers, input: GenerateInput, tool: Tool): Model | null {
  if (tool.plan !== 'chart')
    return providers.find(input.model ?? tool.defaultModel ?? providers.defaultModel.id).model;
  if (input.model == null) return null;
  const message = `The tool ${tool.name} draws without a model; leave model out.`;
  throw new InputError('INVALID_INPUT', message, { path: ['input', 'model'] });
}
