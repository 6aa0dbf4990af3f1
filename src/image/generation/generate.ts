import type { Logger } from 'pino';
import { InputError } from '../../errors.ts';
import type { Fetcher } from '../../fetch/fetch.ts';
import type { PictureFormat } from '../../provider/provider.ts';
import type { Providers } from '../../provider/providers.ts';
import { findTool } from '../../tool/tools.ts';
import type { ImageEvents } from '../events/events.ts';
import { waitForImages } from '../events/wait.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf } from '../image.ts';
import type { IngestDeps } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { parseImageInput } from '../input.ts';
import type { GenerationQueue } from './generation.ts';
import { planGeneration } from './plan/plan.ts';
import type { ProviderConcurrency } from './provider-concurrency.ts';
import type { TransientFiles } from './references.ts';
import { findModel, type GenerateInput, parseSchedule, parseWaitSeconds } from './request/generate-input.ts';
import { columnsOf, recordPlan, requestOf } from './request/record-plan.ts';
import { findRequest, fingerprintOf } from './request/request-key.ts';
import { countReferences, findSources } from './request/sources.ts';
import { generateTransient } from './transient.ts';

export type { GenerateInput } from './request/generate-input.ts';
export { DEFAULT_WAIT_SECONDS, MAX_SCHEDULE_DAYS, MAX_WAIT_SECONDS } from './request/generate-input.ts';
export const MAX_IMAGES_PER_REQUEST = 10;

export interface GenerateDeps extends ImageDeps, IngestDeps {
  readonly providers: Providers;
  readonly queue: GenerationQueue;
  readonly fetcher: Fetcher;
  readonly imageEvents: ImageEvents;
  /** Format for models that can be asked for one, when the request has none; null: the provider decides. */
  readonly defaultFormat: PictureFormat | null;
  /** Limits the calls for images that are not stored. */
  readonly transientConcurrency: ProviderConcurrency;
  /** Whether to store generated images; false: each is returned once, and nothing of it is stored. */
  readonly saveImages: boolean;
  readonly quotas: Quotas;
  readonly log: Logger;
}

/** An image. One that is not stored has its bytes with it, as a data URL. */
export type AnsweredImage = Image & { readonly dataUrl?: string };

/**
 * Generates images: checks everything that can be checked, writes rows and jobs in one transaction, and waits
 * for the results. After the commit, no requested image is forgotten, and no provider is paid twice for it.
 * A repeated `requestId` of a user returns the images of the first request.
 * @returns the images as they are when the wait ends. A failure of a provider is in the image's status and
 *   error.
 * @throws InputError for a request that must not cost a call.
 */
export async function generateImages(
  deps: GenerateDeps,
  input: GenerateInput,
  caller: { userId: string; visibleTo: string | null },
): Promise<AnsweredImage[]> {
  const record = parseImageInput(input, { userId: caller.userId, tool: 'generateUserImage' });
  const tool = findTool(record.toolName);
  const visibility = record.visibility ?? deps.defaultVisibility;
  const waitSeconds = parseWaitSeconds(input.waitSeconds);
  const scheduledFor = parseSchedule(input.scheduledFor ?? null);
  const fingerprint = await fingerprintOf(input, record);
  const earlier = deps.saveImages ? await findRequest(deps.database, record, fingerprint) : null;
  if (earlier) return waitAndFind(deps, earlier, { waitSeconds, scheduledFor: null });

  const model = findModel(deps.providers, input, tool);
  // Before files are kept: a request that its numbers rule out leaves none behind.
  const planned = planGeneration(input, {
    tool,
    model,
    references: countReferences(input, tool),
    hasMask: input.mask != null,
    defaultFormat: deps.defaultFormat,
    epoch: Date.now(),
  });
  // A picture that could not be stored must not be paid for.
  await deps.storage.requireSpace();
  const files: TransientFiles | null = deps.saveImages ? null : new Map();
  const { userId } = record;
  const { visibleTo } = caller;
  const sources = await findSources(deps, input, { tool, files, visibility, userId, visibleTo });
  const facts = { record, tool, model, sources, visibility };
  if (files) {
    if (scheduledFor) throw notSchedulable();
    return generateTransient(deps, planned, {
      columnsOf: (image) => columnsOf(image, facts),
      requestOf: (image) => requestOf(image, sources),
      files,
    });
  }
  const uuids = await recordPlan(deps, planned, { ...facts, scheduledFor, fingerprint });
  return waitAndFind(deps, uuids, { waitSeconds, scheduledFor });
}

function notSchedulable(): InputError {
  const message =
    'This server stores no generated images (SAVE_GENERATED_IMAGES=false), so it cannot schedule any; leave scheduledFor out.';
  return new InputError('INVALID_INPUT', message, { path: ['input', 'scheduledFor'] });
}

/**
 * Waits for images, and returns them as they are then. Does not wait for images that are scheduled for after
 * the wait.
 */
async function waitAndFind(
  deps: GenerateDeps,
  uuids: readonly string[],
  { waitSeconds, scheduledFor }: { waitSeconds: number; scheduledFor: Date | null },
): Promise<Image[]> {
  const beginsInTime = !scheduledFor || scheduledFor.getTime() <= Date.now() + waitSeconds * 1000;
  if (beginsInTime) await waitForImages(deps, uuids, waitSeconds);
  const rows = await deps.database.query<ImageRow>(FIND_IMAGES, [uuids]);
  return rows.map(imageOf);
}

const FIND_IMAGES = `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.uuid = ANY($1::uuid[]) ORDER BY i.id`;
