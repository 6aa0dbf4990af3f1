import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { v7 as uuidV7 } from 'uuid';
import type { Queryable } from '../../database/database.ts';
import { InputError } from '../../errors.ts';
import type { Fetcher } from '../../fetch/fetch.ts';
import type { Model, PictureFormat } from '../../provider/provider.ts';
import type { Providers } from '../../provider/providers.ts';
import type { Tool } from '../../tool/tool.ts';
import { findTool } from '../../tool/tools.ts';
import type { ImageEvents } from '../events/events.ts';
import { waitForImages } from '../events/watch.ts';
import {
  IMAGE_COLUMNS,
  type Image,
  type ImageDeps,
  type ImageRow,
  imageOf,
  type Visibility,
} from '../image.ts';
import { type IngestDeps, insertImage } from '../ingest/ingest.ts';
import type { Quotas } from '../ingest/quota.ts';
import { type ImageInput, type ImageRecord, parseImageInput } from '../input.ts';
import type { GenerationOrder, GenerationQueue } from './generation.ts';
import { type AskedGeneration, type PlannedImage, planGeneration } from './plan.ts';
import type { Places } from './provider-concurrency.ts';
import { type LooseFiles, type PictureSource, resolveReferences, type SourceOptions } from './references.ts';
import { makeTransient } from './transient.ts';

export const MAX_IMAGES_PER_REQUEST = 10;
export const DEFAULT_WAIT_SECONDS = 25;
export const MAX_WAIT_SECONDS = 120;
/** The queue keeps what is scheduled for so long. */
export const MAX_SCHEDULE_DAYS = 366;

export interface GenerateInput extends ImageInput, Omit<AskedGeneration, 'n'> {
  readonly model?: string | null | undefined;
  /** How many images, 1 to 10; 1 by default. Each is a call to the provider and a row of its own. */
  readonly n?: number | null | undefined;
  /** Images that are kept, or files of the same request. */
  readonly references?: readonly PictureSource[] | null | undefined;
  readonly mask?: PictureSource | null | undefined;
  /** The uuid of the image that this one is a new version of; it is the first reference, unless references are given. */
  readonly parent?: string | null | undefined;
  /** Not before this time. */
  readonly scheduledFor?: Date | null | undefined;
  /** How long to wait for them, 0 to 120; 25 by default. What is not ready by then goes on, and is answered as it is. */
  readonly waitSeconds?: number | null | undefined;
}

export interface GenerateDeps extends ImageDeps, IngestDeps {
  readonly providers: Providers;
  readonly queue: GenerationQueue;
  readonly fetcher: Fetcher;
  readonly imageEvents: ImageEvents;
  /** Asked of models that can, where a request asks for none; null: as the provider decides. */
  readonly defaultFormat: PictureFormat | null;
  /** Of what is not kept: how many are made at once of one provider. */
  readonly transientPlaces: Places;
  /** Whether what is generated is kept; otherwise it is answered this once, and nothing of it is stored. */
  readonly saveImages: boolean;
  readonly quotas: Quotas;
  readonly log: Logger;
}

/** An image that is not kept: what would be its bytes comes with it, as a data address. */
export type AnsweredImage = Image & { readonly dataUrl?: string };

/**
 * Checks everything that can be checked, writes the rows and the job in one transaction, and waits for what comes of it. From the commit on
 * nothing that was asked for can be forgotten, and no provider is paid twice for it. The same `requestId` of the same user answers the
 * same images.
 * @returns the images, each with what became of it so far: a provider that refuses or fails is told by the image's status and error.
 * @throws InputError for a request that no call should be paid for.
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
  const known = deps.saveImages ? await findRequest(deps, record, fingerprint) : null;
  if (known) return answerWith(deps, known, { waitSeconds, scheduledFor: null });

  const model = findModel(deps.providers, input, tool);
  const context = { tool, model, defaultFormat: deps.defaultFormat, epoch: Date.now() };
  // What can be refused by the numbers alone is refused before files are kept.
  planGeneration(input, { ...context, ...standIns(input, tool) });
  // Refused before the provider is paid for what could not be kept.
  await deps.storage.requireSpace();
  const loose: LooseFiles | null = deps.saveImages ? null : new Map();
  const { references, mask, parent, parentPath } = await findSources(deps, input, {
    ...{ tool, loose, visibility },
    userId: record.userId,
    visibleTo: caller.visibleTo,
  });
  const planned = planGeneration(input, {
    ...context,
    references: references.map(({ uuid }) => uuid),
    mask: mask?.uuid ?? null,
  });
  const facts = { record, tool, model, parent, parentPath, visibility };
  if (loose) {
    if (scheduledFor) {
      const message =
        'Nothing is kept on this server (SAVE_GENERATED_IMAGES=false), so nothing can be scheduled.';
      throw new InputError('INVALID_INPUT', message, { path: ['input', 'scheduledFor'] });
    }
    return makeTransient(deps, planned, { describe: (image) => describeImage(image, facts), loose });
  }
  const uuids = await write(deps, planned, { ...facts, scheduledFor, fingerprint });
  return answerWith(deps, uuids, { waitSeconds, scheduledFor });
}

/** The images as they are when they are made or the wait is over; nobody waits for what is scheduled for later. */
async function answerWith(
  deps: GenerateDeps,
  uuids: readonly string[],
  { waitSeconds, scheduledFor }: { waitSeconds: number; scheduledFor: Date | null },
): Promise<Image[]> {
  const soon = !scheduledFor || scheduledFor.getTime() <= Date.now() + waitSeconds * 1000;
  if (soon) await waitForImages(deps, uuids, waitSeconds);
  return readAgain(deps, uuids);
}

export function parseWaitSeconds(value: number | null | undefined): number {
  const seconds = value ?? DEFAULT_WAIT_SECONDS;
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  throw new InputError('INVALID_INPUT', `waitSeconds is ${seconds}; it goes from 0 to ${MAX_WAIT_SECONDS}.`, {
    path: ['input', 'waitSeconds'],
  });
}

function parseSchedule(time: Date | null): Date | null {
  if (time === null || time.getTime() <= Date.now()) return null;
  if (time.getTime() < Date.now() + MAX_SCHEDULE_DAYS * 86_400_000) return time;
  throw new InputError('INVALID_INPUT', `scheduledFor lies more than ${MAX_SCHEDULE_DAYS} days ahead.`, {
    path: ['input', 'scheduledFor'],
  });
}

function findModel(providers: Providers, input: GenerateInput, tool: Tool): Model | null {
  if (tool.plan !== 'chart')
    return providers.find(input.model ?? tool.defaultModel ?? providers.defaultModel.id).model;
  if (input.model == null) return null;
  throw new InputError('INVALID_INPUT', `The tool ${tool.name} draws by itself and takes no model.`, {
    path: ['input', 'model'],
  });
}

/** As many names as there will be pictures to work from. */
function standIns(input: GenerateInput, tool: Tool) {
  const given = input.references ?? [];
  const isBase = given.length === 0 && input.parent != null && tool.references.max > 0;
  return {
    references: isBase ? [''] : given.map(() => ''),
    mask: input.mask ? '' : null,
  };
}

/** The pictures to work from, and the image that is worked on. */
async function findSources(
  deps: GenerateDeps,
  input: GenerateInput,
  options: SourceOptions & { readonly tool: Tool },
) {
  const at = (source: PictureSource, ...path: string[]) => ({ source, path: ['input', ...path] });
  const given = input.references ?? [];
  const parents = input.parent == null ? [] : [at({ uuid: input.parent }, 'parentId')];
  const [named = null] = await resolveReferences(deps, parents, options);
  const sources = given.map((source, index) => at(source, 'references', String(index)));
  const found = await resolveReferences(deps, sources, options);
  const references = found.length === 0 && named && options.tool.references.max > 0 ? [named] : found;
  const [mask = null] = await resolveReferences(deps, input.mask ? [at(input.mask, 'mask')] : [], options);
  const [first] = references;
  if (mask && first && (mask.width !== first.width || mask.height !== first.height)) {
    throw new InputError(
      'INVALID_INPUT',
      `The mask is ${mask.width}x${mask.height} and the first reference ${first.width}x${first.height}; they must be equal.`,
      { path: ['input', 'mask'] },
    );
  }
  // An edit of one image is a version of it.
  const edited = given[0] && 'uuid' in given[0] ? first?.image : null;
  const parentPath = ['input', ...(named ? ['parentId'] : ['references', '0'])];
  return { references, mask, parent: named?.image ?? edited ?? null, parentPath };
}

interface ImageFacts {
  readonly record: ImageRecord;
  readonly tool: Tool;
  readonly model: Model | null;
  readonly parent: Image | null;
  /** Where the input names it. */
  readonly parentPath: readonly string[];
  readonly visibility: Visibility;
}

/** The columns of a planned image. */
function describeImage({ prompt, work, order }: PlannedImage, facts: ImageFacts) {
  const { record, tool, model, parent, visibility } = facts;
  const { size, settings } = order;
  return {
    ...record,
    toolName: tool.name,
    visibility,
    prompt,
    origin: 'generated',
    status: 'pending',
    provider: model?.provider ?? 'vega',
    model: order.model,
    // The size of what is composed follows from what it is composed of.
    size: work === 'compose' ? null : size,
    quality: settings.quality,
    style: settings.style,
    parentId: parent?.id ?? null,
  };
}

/** @returns the uuids of the images that are asked for; of those that the same request made before, if it did. */
async function write(
  deps: GenerateDeps,
  planned: readonly PlannedImage[],
  facts: ImageFacts & { readonly scheduledFor: Date | null; readonly fingerprint: string },
): Promise<string[]> {
  const { userId, requestId } = facts.record;
  const uuids = planned.map(() => uuidV7());
  const results = planned.filter(({ partOf }) => partOf === null).length;
  const known = await deps.database.transaction(async (transaction) => {
    if (requestId !== null) {
      const before = await claimRequest(transaction, { userId, requestId }, facts.fingerprint);
      if (before) return before;
    }
    // Here and not before: a request that was made before is answered whatever the user has by now.
    const generations = planned.filter(({ work }) => work === 'ask').length;
    await deps.quotas.takeGenerations(transaction, userId, { images: planned.length, generations });
    if (facts.parent) await holdParent(transaction, facts.parent, facts.parentPath);
    const ids: number[] = [];
    const places = [...planned.entries()];
    // Wholes before their parts, which name them.
    for (const [place, image] of places.toSorted(([, a], [, b]) => rankOf(a) - rankOf(b))) {
      const { partOf } = image;
      const { id } = await insertImage(transaction, {
        ...describeImage(image, facts),
        uuid: uuids[place],
        n: results,
        ...(partOf ? { partOf: ids[partOf.index], part: partOf.part } : {}),
      });
      ids[place] = Number(id);
    }
    for (const [place, image] of places) {
      const { refersTo, waitsFor } = image;
      const order: GenerationOrder = {
        ...image.order,
        references: [...image.order.references, ...(refersTo === null ? [] : [uuids[refersTo] as string])],
      };
      await transaction.query(INSERT_GENERATION, [
        ids[place],
        waitsFor.length > 0 ? 'waiting' : 'queued',
        image.work,
        JSON.stringify(order),
        waitsFor.map((other) => ids[other]),
        facts.scheduledFor,
      ]);
    }
    const ready = planned.flatMap(({ order, waitsFor }, index) =>
      waitsFor.length > 0
        ? []
        : [{ imageId: ids[index] as number, lane: order.lane, userId, runAt: facts.scheduledFor }],
    );
    await deps.queue.push(transaction, ready);
    if (requestId !== null) {
      const imageIds = ids.filter((_, index) => planned[index]?.partOf === null);
      await transaction.query(
        'UPDATE generation_requests SET image_ids = $3::bigint[] WHERE user_id = $1 AND request_id = $2',
        [userId, requestId, imageIds],
      );
    }
    return null;
  });
  await deps.database.flush();
  return known ?? uuids.filter((_, index) => planned[index]?.partOf === null);
}

const rankOf = ({ partOf }: PlannedImage) => (partOf === null ? 0 : 1);

const HOLD_PARENT = 'SELECT 1 FROM generated_images WHERE id = $1 FOR KEY SHARE';

/** Between the time when it was found and the one when images name it, it may have been purged. */
async function holdParent(
  transaction: Queryable,
  { id, uuid }: Image,
  path: readonly string[],
): Promise<void> {
  if ((await transaction.query(HOLD_PARENT, [Number(id)])).length > 0) return;
  throw new InputError('NOT_FOUND', `There is no image ${uuid} any more.`, { path });
}

const INSERT_GENERATION = `INSERT INTO generations (image_id, state, work, request, waits_for, run_at)
  VALUES ($1, $2, $3, $4::text::jsonb, $5::bigint[], coalesce($6::timestamptz, now()))`;

interface RequestKey {
  readonly userId: string;
  readonly requestId: string | null;
}

/** A row of generation_requests. */
interface MadeRequest {
  readonly requestId: string;
  readonly fingerprint: string;
  /** int8, as the driver gives those of a list. */
  readonly imageIds: readonly unknown[];
}

const FIND_REQUEST = `SELECT request_id AS "requestId", fingerprint, image_ids AS "imageIds" FROM generation_requests
  WHERE user_id = $1 AND request_id = $2`;
const CLAIM_REQUEST = `INSERT INTO generation_requests (user_id, request_id, fingerprint, image_ids) VALUES ($1, $2, $3, '{}')
  ON CONFLICT DO NOTHING RETURNING request_id`;

/**
 * What was made under the key of a request, or null.
 * @throws InputError CONFLICT for another input under the same key; NOT_FOUND when what was made is gone.
 */
async function findRequest(
  { database }: Pick<ImageDeps, 'database'>,
  { userId, requestId }: RequestKey,
  fingerprint: string,
): Promise<string[] | null> {
  if (requestId === null) return null;
  const [before] = await database.query<MadeRequest>(FIND_REQUEST, [userId, requestId]);
  if (!before) return null;
  checkSame(before, fingerprint);
  return imagesOf(database, before);
}

/** Takes the key of a request, or finds what was made under it meanwhile; a second that comes at once waits here for the first. */
async function claimRequest(
  transaction: Queryable,
  { userId, requestId }: { userId: string; requestId: string },
  fingerprint: string,
): Promise<string[] | null> {
  const claimed = await transaction.query(CLAIM_REQUEST, [userId, requestId, fingerprint]);
  if (claimed.length === 1) return null;
  const [before] = await transaction.query<MadeRequest>(FIND_REQUEST, [userId, requestId]);
  if (!before) throw new Error('a request that was made before is gone');
  checkSame(before, fingerprint);
  return imagesOf(transaction, before);
}

function checkSame(before: MadeRequest, fingerprint: string): void {
  if (before.fingerprint === fingerprint) return;
  const message = `The user's request ${JSON.stringify(before.requestId)} was made before with another input. Send the same input to get its images, or another requestId.`;
  throw new InputError('CONFLICT', message, { path: ['input', 'requestId'] });
}

async function imagesOf(db: Queryable, { requestId, imageIds }: MadeRequest): Promise<string[]> {
  const images = await db.query<{ uuid: string }>(
    'SELECT uuid FROM generated_images WHERE id = ANY($1::bigint[]) ORDER BY id',
    [imageIds],
  );
  if (images.length > 0) return images.map(({ uuid }) => uuid);
  const message = `What the request ${JSON.stringify(requestId)} made was purged. Send another requestId to make it anew.`;
  throw new InputError('NOT_FOUND', message, { path: ['input', 'requestId'] });
}

/** What an input asks for, whatever the order of its keys and whether defaults are said; the wait for it is no part of that. */
async function fingerprintOf(input: GenerateInput, record: ImageRecord): Promise<string> {
  const { waitSeconds: _, references, mask, ...rest } = input;
  const nameOf = async (source: PictureSource) =>
    'uuid' in source ? source.uuid : (await source.file).spool.sha256;
  const asked = {
    ...rest,
    ...record,
    tool: record.toolName,
    n: input.n ?? 1,
    references: await Promise.all((references ?? []).map(nameOf)),
    mask: mask ? await nameOf(mask) : null,
  };
  const said = Object.entries(asked).filter(([, value]) => value !== null && value !== undefined);
  return createHash('sha256')
    .update(canonical(Object.fromEntries(said)))
    .digest('hex');
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

async function readAgain(deps: ImageDeps, uuids: readonly string[]): Promise<Image[]> {
  const rows = await deps.database.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.uuid = ANY($1::uuid[]) ORDER BY i.id`,
    [uuids],
  );
  return rows.map(imageOf);
}
