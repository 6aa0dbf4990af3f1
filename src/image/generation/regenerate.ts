import type { Queryable } from '../../database/database.ts';
import { FixativeError, InputError, NotFoundError } from '../../errors.ts';
import { findTool } from '../../tool/tools.ts';
import { waitForImages } from '../events/watch.ts';
import { findImageRow, findImages, type Image } from '../image.ts';
import { type GenerateDeps, parseWaitSeconds } from './generate.ts';
import { findGeneration, type Generation, type QueuedGeneration, SPOILT } from './generation.ts';
import { planGeneration } from './plan.ts';

const BACK = `UPDATE generated_images SET status = 'pending', error = NULL, error_code = NULL, error_retryable = NULL, updated_at = now()
  WHERE id = $1`;

/**
 * Makes an image again that has failed, or whose bytes are lost: the same row, address and request. An answer that is paid and still of use
 * is taken first; bytes of which some store has a healthy copy are restored, and nothing is paid.
 * @throws InputError CONFLICT for an image that is being made, is there, or was not generated here; StoreError when it cannot be known.
 */
export async function regenerateImage(
  deps: GenerateDeps,
  image: Image,
  options: { waitSeconds?: number | null | undefined } = {},
): Promise<Image> {
  const waitSeconds = parseWaitSeconds(options.waitSeconds);
  if (image.status === 'pending' || image.status === 'processing')
    throw conflict(`Image ${image.uuid} is being made; cancelGeneration ends that.`);
  const generation = await findGeneration(deps.database, Number(image.id));
  if (image.status === 'success') {
    if (await isHealthy(deps, image)) {
      const [now] = await findImages(deps.database, [image.uuid]);
      return now ?? image;
    }
    await release(deps, image, generation);
  } else {
    await again(deps, image, generation);
  }
  await deps.database.flush();
  await waitForImages(deps, [image.uuid], waitSeconds);
  const [now] = await findImages(deps.database, [image.uuid]);
  return now ?? image;
}

/** Restores what can be; what is whole already is no case for a provider. */
async function isHealthy({ storage }: GenerateDeps, image: Image): Promise<boolean> {
  if (image.blobId === null) return false;
  try {
    const restoration = await storage.restore(Number(image.blobId), { deep: true });
    if (restoration.restored.length === 0)
      throw conflict(`Image ${image.uuid} is there, with a healthy copy of its bytes.`);
    return true;
  } catch (error) {
    if (error instanceof FixativeError && error.code === 'BYTES_LOST') return false;
    throw error;
  }
}

const RELEASE = `UPDATE generated_images
  SET blob_id = NULL, storage_url = '', storage_provider = NULL, sha256 = NULL, bytes = NULL, thumbhash = NULL, updated_at = now()
  WHERE id = $1::bigint AND blob_id = $2::bigint AND status = 'success' RETURNING id`;

/** Parts with the lost bytes, and puts the image back into the queue, in one transaction. */
async function release(deps: GenerateDeps, image: Image, generation: Generation | null): Promise<void> {
  const blobId = Number(image.blobId);
  const orders = await ordersOf(deps, image, generation);
  await deps.storage.remove(blobId, async (transaction) => {
    await lockOrders(transaction, orders);
    const released = await transaction.query(RELEASE, [image.id, image.blobId]);
    if (released.length === 0) throw conflict(`Image ${image.uuid} was changed meanwhile.`);
    await requeue(deps, transaction, orders);
  });
}

async function again(deps: GenerateDeps, image: Image, generation: Generation | null): Promise<void> {
  const orders = await ordersOf(deps, image, generation);
  await deps.database.transaction(async (transaction) => {
    await lockOrders(transaction, orders);
    await requeue(deps, transaction, orders);
  });
}

const REMOVED = 'The image, or what it is made from, was removed meanwhile.';

const LOCK_GENERATIONS =
  'SELECT 1 FROM generations WHERE image_id = ANY($1::bigint[]) ORDER BY image_id FOR UPDATE';
const LOCK_IMAGES =
  'SELECT 1 FROM generated_images WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE';

async function lockOrders(transaction: Queryable, orders: readonly Order[]): Promise<void> {
  const ids = orders.map(({ image }) => image.id);
  await transaction.query(LOCK_GENERATIONS, [ids]);
  const there = await transaction.query(LOCK_IMAGES, [ids]);
  if (there.length < ids.length) throw new NotFoundError(REMOVED);
}

interface Order {
  readonly image: Image;
  readonly state: 'waiting' | 'queued' | 'answered';
  readonly work: string;
  readonly request: Generation['request'];
  readonly isNew: boolean;
}

/** What is to be done again: the image, and those that it waits for and that have failed as well. */
async function ordersOf(deps: GenerateDeps, image: Image, generation: Generation | null): Promise<Order[]> {
  if (!generation) {
    // Purged meanwhile, it has none either.
    if (!(await findImageRow(deps.database, Number(image.id)))) throw new NotFoundError(REMOVED);
    return [orderAnew(deps, image)];
  }
  const orders: Order[] = [];
  for (const id of generation.waitsFor) {
    const other = await findGeneration(deps.database, id);
    const row = await findImageRow(deps.database, id);
    if (!other || !row) throw conflict(`What image ${image.uuid} is made from was removed.`);
    if (row.status === 'failed') orders.push(...(await ordersOf(deps, row, other)));
  }
  const usable =
    generation.answer !== null && image.status === 'failed' && !SPOILT.has(image.errorCode ?? '');
  const waits = generation.waitsFor.length > 0;
  const state = usable ? 'answered' : waits ? 'waiting' : 'queued';
  // Its provider may be configured no more; nobody would take it out of the queue.
  if (generation.work === 'ask') deps.providers.find(generation.request.model);
  return [...orders, { image, state, work: generation.work, request: generation.request, isNew: false }];
}

/** The request of an image that was generated before generations were on record, by its columns. */
function orderAnew(deps: GenerateDeps, image: Image): Order {
  if (image.origin !== 'generated' || !image.model || !image.prompt)
    throw conflict(`Image ${image.uuid} was not generated here, so it cannot be made again.`);
  const { model } = deps.providers.find(image.model);
  const tool = findTool('generateUserImage');
  const { prompt, size, quality, style } = image;
  const [planned] = planGeneration(
    { prompt, size, quality, style },
    {
      ...{ tool, model, references: [], mask: null },
      defaultFormat: deps.defaultFormat,
      epoch: image.createdAt.getTime(),
    },
  );
  if (!planned) throw new TypeError('A picture is planned.');
  return { image, state: 'queued', work: planned.work, request: planned.order, isNew: true };
}

const ANEW = `INSERT INTO generations (image_id, state, work, request) VALUES ($1, $2, $3, $4::text::jsonb)
  ON CONFLICT DO NOTHING RETURNING image_id`;
const AGAIN = `UPDATE generations SET state = $2::text, run_at = now(), updated_at = now(),
    answer = CASE WHEN $2::text = 'answered' THEN answer END, asked_by = CASE WHEN $2::text = 'answered' THEN asked_by END
  WHERE image_id = $1 AND state IN ('failed', 'cancelled', 'done') RETURNING image_id`;

async function requeue(deps: GenerateDeps, transaction: Queryable, orders: readonly Order[]): Promise<void> {
  const generations = orders.filter(({ state, work }) => work === 'ask' && state !== 'answered').length;
  const [first] = orders;
  const images = orders.filter(({ image }) => image.blobId === null).length;
  if (first) await deps.quotas.takeGenerations(transaction, first.image.userId, { images, generations });
  const ready: QueuedGeneration[] = [];
  for (const { image, state, work, request, isNew } of orders) {
    const moved = isNew
      ? await transaction.query(ANEW, [image.id, state, work, JSON.stringify(request)])
      : await transaction.query(AGAIN, [image.id, state]);
    if (moved.length === 0) throw conflict(`Image ${image.uuid} is being made by now.`);
    await transaction.query(BACK, [image.id]);
    ready.push({ imageId: Number(image.id), lane: request.lane, userId: image.userId, runAt: null });
  }
  await deps.queue.push(transaction, ready);
}

function conflict(message: string): InputError {
  return new InputError('CONFLICT', message, { path: ['input', 'id'] });
}
