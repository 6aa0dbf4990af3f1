import { v7 as uuidV7 } from 'uuid';
import type { Database, Queryable } from '../../../database/database.ts';
import { InputError } from '../../../errors.ts';
import type { Model } from '../../../provider/provider.ts';
import type { Tool } from '../../../tool/tool.ts';
import type { Visibility } from '../../image.ts';
import { insertImage } from '../../ingest/insert-image.ts';
import type { Quotas } from '../../ingest/quota.ts';
import type { ImageRecord } from '../../input.ts';
import type { GenerationQueue, GenerationRequest } from '../generation.ts';
import type { PlannedImage } from '../plan/planned-image.ts';
import { claimRequest, recordRequestImages } from './request-key.ts';
import type { Sources } from './sources.ts';

/** Properties that all images of a request share. */
export interface RequestFacts {
  readonly record: ImageRecord;
  readonly tool: Tool;
  readonly model: Model | null;
  readonly sources: Sources;
  readonly visibility: Visibility;
}

export interface RecordPlanDeps {
  readonly database: Database;
  readonly queue: GenerationQueue;
  readonly quotas: Quotas;
}

/** Returns the columns of a planned image. */
export function columnsOf({ prompt, kind, request }: PlannedImage, facts: RequestFacts) {
  const { record, tool, model, sources, visibility } = facts;
  const { size, settings } = request;
  return {
    ...record,
    toolName: tool.name,
    visibility,
    prompt,
    origin: 'generated',
    status: 'pending',
    provider: model?.provider ?? 'vega',
    model: request.model,
    // The size of a page follows from its panels.
    size: kind === 'compose' ? null : size,
    quality: settings.quality,
    style: settings.style,
    parentId: sources.parent?.id ?? null,
  };
}

/**
 * Returns the request of a planned image, with its references and mask.
 * @param further uuids of planned images that it refers to.
 */
export function requestOf(
  { request }: PlannedImage,
  { references, mask }: Sources,
  further: readonly string[] = [],
): GenerationRequest {
  return {
    ...request,
    references: [...references.map(({ uuid }) => uuid), ...further],
    mask: mask?.uuid ?? null,
  };
}

interface RecordOptions extends RequestFacts {
  readonly scheduledFor: Date | null;
  /** Hash of the input, for requests with a `requestId`. */
  readonly fingerprint: string;
}

/**
 * Writes the images, their generations and their jobs in one transaction.
 * @returns the uuids of the requested images, or of those that an equal request has made before.
 */
export async function recordPlan(
  deps: RecordPlanDeps,
  planned: readonly PlannedImage[],
  options: RecordOptions,
): Promise<string[]> {
  const uuids = planned.map(() => uuidV7());
  const earlier = await deps.database.transaction((transaction) =>
    recordIn(deps, transaction, { planned, uuids, options }),
  );
  await deps.database.flush();
  return earlier ?? resultsOf(planned, uuids);
}

interface Recording {
  readonly planned: readonly PlannedImage[];
  readonly uuids: readonly string[];
  readonly options: RecordOptions;
}

/** @returns the uuids of an equal request's images; null: the images were recorded. */
async function recordIn(
  { queue, quotas }: RecordPlanDeps,
  transaction: Queryable,
  recording: Recording,
): Promise<string[] | null> {
  const { planned, options } = recording;
  const { userId, requestId } = options.record;
  if (requestId !== null) {
    const earlier = await claimRequest(transaction, { userId, requestId }, options.fingerprint);
    if (earlier) return earlier;
  }
  // After the key: a repeated request returns its images although the quota is used up by now.
  const generations = planned.filter(({ kind }) => kind === 'ask').length;
  await quotas.takeGenerations(transaction, userId, { images: planned.length, generations });
  await lockParent(transaction, options.sources);
  const ids = await insertImages(transaction, recording);
  await insertGenerations(transaction, recording, ids);
  const ready = planned.flatMap(({ request, waitsFor }, index) =>
    waitsFor.length > 0
      ? []
      : [
          {
            imageId: ids[index] as number,
            queueName: request.lane,
            userId,
            runAt: options.scheduledFor,
          },
        ],
  );
  await queue.push(transaction, ready);
  if (requestId !== null)
    await recordRequestImages(transaction, { userId, requestId }, resultsOf(planned, ids));
  return null;
}

/** Returns the entries of the images that the client requested, without those of their parts. */
function resultsOf<Entry>(planned: readonly PlannedImage[], entries: readonly Entry[]): Entry[] {
  return entries.filter((_, index) => planned[index]?.partOf === null);
}

const LOCK_PARENT = 'SELECT 1 FROM generated_images WHERE id = $1 FOR KEY SHARE';

/**
 * Locks the parent before images refer to it: it may have been purged since it was found.
 * @throws InputError NOT_FOUND
 */
async function lockParent(transaction: Queryable, { parent, parentPath }: Sources): Promise<void> {
  if (!parent) return;
  if ((await transaction.query(LOCK_PARENT, [Number(parent.id)])).length > 0) return;
  throw new InputError('NOT_FOUND', `Image ${parent.uuid} was purged.`, { path: parentPath });
}

/** @returns the ids, in the order of the plan. */
async function insertImages(
  transaction: Queryable,
  { planned, uuids, options }: Recording,
): Promise<number[]> {
  const ids: number[] = [];
  const count = resultsOf(planned, planned).length;
  // Whole images before their parts, which refer to them.
  const wholesFirst = [...planned.entries()].toSorted(([, a], [, b]) => rankOf(a) - rankOf(b));
  for (const [index, image] of wholesFirst) {
    const { partOf } = image;
    const { id } = await insertImage(transaction, {
      ...columnsOf(image, options),
      uuid: uuids[index],
      n: count,
      ...(partOf ? { partOf: ids[partOf.index], part: partOf.part } : {}),
    });
    ids[index] = Number(id);
  }
  return ids;
}

const rankOf = ({ partOf }: PlannedImage) => (partOf === null ? 0 : 1);

const INSERT_GENERATION = `INSERT INTO generations (image_id, state, work, request, waits_for, run_at)
  VALUES ($1, $2, $3, $4::text::jsonb, $5::bigint[], coalesce($6::timestamptz, now()))`;

async function insertGenerations(
  transaction: Queryable,
  { planned, uuids, options }: Recording,
  ids: readonly number[],
): Promise<void> {
  for (const [index, image] of planned.entries()) {
    const { refersTo, waitsFor } = image;
    const further = refersTo === null ? [] : [uuids[refersTo] as string];
    await transaction.query(INSERT_GENERATION, [
      ids[index],
      waitsFor.length > 0 ? 'waiting' : 'queued',
      image.kind,
      JSON.stringify(requestOf(image, options.sources, further)),
      waitsFor.map((other) => ids[other]),
      options.scheduledFor,
    ]);
  }
}
