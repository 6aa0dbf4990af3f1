import { recordAudit } from '../../audit/audit.ts';
import type { Queryable } from '../../database/database.ts';
import { FixativeError, InputError, NotFoundError } from '../../errors.ts';
import { findTool } from '../../tool/tools.ts';
import { waitForImages } from '../events/wait.ts';
import { findImageRow, findImages, type Image } from '../image.ts';
import type { GenerateDeps } from './generate.ts';
import {
  findGeneration,
  type Generation,
  type QueuedGeneration,
  UNUSABLE_RESPONSE_CODES,
} from './generation.ts';
import { planGeneration } from './plan/plan.ts';
import { parseWaitSeconds } from './request/generate-input.ts';

/**
 * Generates an image again that has failed or whose bytes are lost, with the same row, address and request. A
 * paid response that is still usable is used first. When a store has a healthy copy, the bytes are restored
 * and nothing is paid.
 * @throws InputError CONFLICT for an image that is being generated, has its bytes, or was not generated here;
 *   StoreError when a store cannot be asked.
 */
export async function regenerateImage(
  deps: GenerateDeps,
  image: Image,
  options: { waitSeconds?: number | null | undefined } = {},
): Promise<Image> {
  const waitSeconds = parseWaitSeconds(options.waitSeconds);
  if (image.status === 'pending' || image.status === 'processing')
    throw conflict(`Image ${image.uuid} is being generated. To stop that, call cancelGeneration.`);
  const generation = await findGeneration(deps.database, Number(image.id));
  if (image.status === 'success') {
    if (await restoreBytes(deps, image)) {
      const [now] = await findImages(deps.database, [image.uuid]);
      return now ?? image;
    }
    await removeBytesAndRequeue(deps, image, generation);
  } else {
    await requeueFailed(deps, image, generation);
  }
  await deps.database.flush();
  await waitForImages(deps, [image.uuid], waitSeconds);
  const [now] = await findImages(deps.database, [image.uuid]);
  return now ?? image;
}

/**
 * Restores the bytes from a healthy copy.
 * @returns whether there was one.
 * @throws InputError CONFLICT when nothing was to restore.
 */
async function restoreBytes({ storage }: GenerateDeps, image: Image): Promise<boolean> {
  if (image.blobId === null) return false;
  try {
    const restoration = await storage.restore(Number(image.blobId), { deep: true });
    if (restoration.restored.length === 0)
      throw conflict(`Image ${image.uuid} needs no regeneration: it has a healthy copy of its bytes.`);
    return true;
  } catch (error) {
    if (error instanceof FixativeError && error.code === 'BYTES_LOST') return false;
    throw error;
  }
}

const RELEASE = `UPDATE generated_images
  SET blob_id = NULL, storage_url = '', storage_provider = NULL, sha256 = NULL, bytes = NULL, thumbhash = NULL,
    updated_at = now()
  WHERE id = $1::bigint AND blob_id = $2::bigint AND status = 'success' RETURNING id`;

/** Removes the lost bytes and queues the image, in one transaction. */
async function removeBytesAndRequeue(
  deps: GenerateDeps,
  image: Image,
  generation: Generation | null,
): Promise<void> {
  const blobId = Number(image.blobId);
  const requeued = await requestsOf(deps, image, generation);
  await deps.storage.remove(blobId, async (transaction) => {
    await lockAll(transaction, requeued);
    const released = await transaction.query(RELEASE, [image.id, image.blobId]);
    if (released.length === 0) throw conflict(`Image ${image.uuid} was changed at the same time. Try again.`);
    await requeue(deps, transaction, requeued);
  });
}

async function requeueFailed(deps: GenerateDeps, image: Image, generation: Generation | null): Promise<void> {
  const requeued = await requestsOf(deps, image, generation);
  await deps.database.transaction(async (transaction) => {
    await lockAll(transaction, requeued);
    await requeue(deps, transaction, requeued);
  });
}

const REMOVED = 'The image, or an image that it is made from, was removed.';

const LOCK_GENERATIONS =
  'SELECT 1 FROM generations WHERE image_id = ANY($1::bigint[]) ORDER BY image_id FOR UPDATE';
const LOCK_IMAGES =
  'SELECT 1 FROM generated_images WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE';

/** Locks generations, then images, each by their ids (docs/internals/locking.md has the order of locks). */
async function lockAll(transaction: Queryable, requeued: readonly Requeued[]): Promise<void> {
  const ids = requeued.map(({ image }) => image.id);
  await transaction.query(LOCK_GENERATIONS, [ids]);
  const there = await transaction.query(LOCK_IMAGES, [ids]);
  if (there.length < ids.length) throw new NotFoundError(REMOVED);
}

/** An image to generate again. */
interface Requeued {
  readonly image: Image;
  readonly state: 'waiting' | 'queued' | 'answered';
  readonly kind: Generation['kind'];
  readonly request: Generation['request'];
  /** The image has no generation yet. */
  readonly isNew: boolean;
}

/** Returns the image, and the failed images that it waits for. */
async function requestsOf(
  deps: GenerateDeps,
  image: Image,
  generation: Generation | null,
): Promise<Requeued[]> {
  if (!generation) {
    // A purge removes the generation together with the image.
    if (!(await findImageRow(deps.database, Number(image.id)))) throw new NotFoundError(REMOVED);
    return [requestFromColumns(deps, image)];
  }
  const others: Requeued[] = [];
  for (const id of generation.waitsFor) {
    const other = await findGeneration(deps.database, id);
    const row = await findImageRow(deps.database, id);
    if (!other || !row) throw conflict(`Image ${image.uuid} is made from an image that was removed.`);
    if (row.status === 'failed') others.push(...(await requestsOf(deps, row, other)));
  }
  const isResponseUsable =
    generation.response !== null &&
    image.status === 'failed' &&
    !UNUSABLE_RESPONSE_CODES.has(image.errorCode ?? '');
  const state = isResponseUsable ? 'answered' : generation.waitsFor.length > 0 ? 'waiting' : 'queued';
  const { kind, request } = generation;
  // Without a configured provider, no worker would take it from the queue.
  if (kind === 'ask') deps.providers.find(request.model);
  return [...others, { image, state, kind, request, isNew: false }];
}

/** Returns the request of an image from before generations were recorded, made from its columns. */
function requestFromColumns(deps: GenerateDeps, image: Image): Requeued {
  if (image.origin !== 'generated' || !image.model || !image.prompt)
    throw conflict(`Image ${image.uuid} was not generated by this server, so it cannot be regenerated.`);
  const { model } = deps.providers.find(image.model);
  const { prompt, size, quality, style } = image;
  const [planned] = planGeneration(
    { prompt, size, quality, style },
    {
      tool: findTool('generateUserImage'),
      model,
      references: 0,
      hasMask: false,
      defaultFormat: deps.defaultFormat,
      epoch: image.createdAt.getTime(),
    },
  );
  if (!planned) throw new TypeError('The plan of one picture is empty.');
  const request = { ...planned.request, references: [], mask: null };
  return { image, state: 'queued', kind: planned.kind, request, isNew: true };
}

const SHOW_PENDING = `UPDATE generated_images SET status = 'pending', error = NULL, error_code = NULL, error_retryable = NULL, updated_at = now()
  WHERE id = $1`;
const INSERT = `INSERT INTO generations (image_id, state, work, request) VALUES ($1, $2, $3, $4::text::jsonb)
  ON CONFLICT DO NOTHING RETURNING image_id`;
const REQUEUE = `UPDATE generations SET state = $2::text, run_at = now(), updated_at = now(),
    answer = CASE WHEN $2::text = 'answered' THEN answer END, asked_by = CASE WHEN $2::text = 'answered' THEN asked_by END
  WHERE image_id = $1 AND state IN ('failed', 'cancelled', 'done') RETURNING image_id`;

async function requeue(
  deps: GenerateDeps,
  transaction: Queryable,
  requeued: readonly Requeued[],
): Promise<void> {
  const generations = requeued.filter(({ state, kind }) => kind === 'ask' && state !== 'answered').length;
  const [first] = requeued;
  const images = requeued.filter(({ image }) => image.blobId === null).length;
  if (first) await deps.quotas.takeGenerations(transaction, first.image.userId, { images, generations });
  const ready: QueuedGeneration[] = [];
  for (const { image, state, kind, request, isNew } of requeued) {
    const moved = isNew
      ? await transaction.query(INSERT, [image.id, state, kind, JSON.stringify(request)])
      : await transaction.query(REQUEUE, [image.id, state]);
    if (moved.length === 0) throw conflict(`Image ${image.uuid} is already being generated again.`);
    await transaction.query(SHOW_PENDING, [image.id]);
    ready.push({ imageId: Number(image.id), queueName: request.lane, userId: image.userId, runAt: null });
  }
  await recordAudit(
    transaction,
    ...requeued.map(({ image }) => ({ action: 'image.regenerate', subject: image.uuid }) as const),
  );
  await deps.queue.push(transaction, ready);
}

function conflict(message: string): InputError {
  return new InputError('CONFLICT', message, { path: ['input', 'id'] });
}
