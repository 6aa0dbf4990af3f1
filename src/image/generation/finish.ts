import type { Readable } from 'node:stream';
import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import type { Fetcher } from '../../fetch/fetch.ts';
import { findBlob } from '../../storage/blob.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import { drawChart } from '../../tool/chart-drawing.ts';
import type { Chart } from '../../tool/chart-json.ts';
import { composeComic } from '../../tool/comic.ts';
import type { Finished } from '../../tool/tool.ts';
import { findTool } from '../../tool/tools.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf, isPublic } from '../image.ts';
import { type IngestDeps, ingest, ingestInto } from '../ingest/ingest.ts';
import { purgeImage } from '../trash/purge.ts';
import { endAttempt, type Generation, type GenerationQueue, queueDependents } from './generation.ts';
import type { KeptResponse } from './provider-responses.ts';
import { readableOf } from './readable.ts';

export interface FinishDeps extends ImageDeps, IngestDeps {
  readonly fetcher: Fetcher;
  readonly queue: GenerationQueue;
}

interface Subject {
  readonly generation: Generation;
  readonly image: Image;
  /** Opens the provider's picture; null where the response has only an address, or no provider was called. */
  readonly open: KeptResponse['open'];
}

/**
 * Makes the image of a response: receives the picture into a spool, has the tool finish it, and stores the
 * provider's original and the tool's variants as parts. Then stores the image, in one transaction with the
 * end of the generation. A killed worker may have done any of these steps before.
 * @throws what storage, source and tool throw. Nothing is lost then; the caller may call again.
 */
export async function finishGeneration(deps: FinishDeps, subject: Subject): Promise<void> {
  const { generation, image } = subject;
  const spools = makeSpools(deps);
  try {
    const picture = await PICTURES[generation.kind](deps, subject, spools);
    const { tool, size } = generation.request;
    const { finish } = findTool(tool);
    if (finish === null || generation.kind !== 'ask') {
      await storeImage(deps, subject, { spool: picture.spool, toolMetadata: picture.metadata });
      return;
    }
    const finished = await finish(picture.spool.path, size);
    await storePart(deps, image, { part: 'original', spool: picture.spool });
    for (const { part, bytes } of finished.variants)
      await storePart(deps, image, { part, spool: await spools.receive(readableOf(bytes)) });
    const spool = await spools.receive(readableOf(finished.bytes));
    await storeImage(deps, subject, { spool, toolMetadata: finished.metadata });
  } finally {
    await spools.discard();
  }
}

/** Spools of one generation; all are discarded at its end. */
interface Spools {
  receive(bytes: Readable): Promise<Spool>;
  add(spool: Spool): void;
  discard(): Promise<void>;
}

function makeSpools({ storage }: Pick<ImageDeps, 'storage'>): Spools {
  const spools: Spool[] = [];
  return {
    async receive(bytes) {
      const spool = await storage.spooler.receive(bytes, { subject: "The provider's picture" });
      spools.push(spool);
      return spool;
    },
    add: (spool) => spools.push(spool),
    async discard() {
      for (const spool of spools) await spool.discard();
    },
  };
}

type Picture = { readonly spool: Spool; readonly metadata: Finished['metadata'] };

const PICTURES: Record<
  Generation['kind'],
  (deps: FinishDeps, subject: Subject, spools: Spools) => Promise<Picture>
> = {
  async ask({ fetcher }, { generation, open }, spools) {
    const address = generation.response?.address;
    if (address) {
      const { spool } = await fetcher.fetch(address);
      spools.add(spool);
      return { spool, metadata: {} };
    }
    if (!open) {
      const message =
        "The provider's picture is no longer on the disk of this worker. To call the provider again, use regenerateImage.";
      throw new FixativeError('INTERRUPTED', message, { retryable: false });
    }
    return { spool: await spools.receive(open()), metadata: {} };
  },

  async compose({ database, storage }, { generation }, spools) {
    const rows = await database.query<ImageRow>(
      `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = ANY($1::bigint[]) ORDER BY i.part`,
      [generation.waitsFor],
    );
    const panels: Spool[] = [];
    for (const { blobId } of rows) {
      const blob = blobId === null ? null : await findBlob(database, { id: blobId });
      if (!blob) throw new FixativeError('NOT_FOUND', 'The bytes of a panel of this page were removed.');
      panels.push(await spools.receive((await storage.open(blob)).stream));
    }
    const { bytes, metadata } = await composeComic(panels.map(({ path }) => ({ file: path })));
    return { spool: await spools.receive(readableOf(bytes)), metadata };
  },

  async chart(_deps, { generation }, spools) {
    const { chart, size } = generation.request;
    const { bytes, metadata } = await drawChart(chart as Chart, size);
    return { spool: await spools.receive(readableOf(bytes)), metadata };
  },
};

// A statement of its own: the next statement then sees what the previous holder of the lock has written.
// `updateImage` takes it too.
const LOCK_WHOLE = 'SELECT w.id FROM generated_images w WHERE w.id = $1::bigint FOR UPDATE';
const COPY_FROM_WHOLE = `UPDATE generated_images p SET visibility = w.visibility, deleted_at = w.deleted_at FROM generated_images w
  WHERE p.id = $1::bigint AND w.id = p.part_of`;

/** Stores a part of an image, unless a killed worker has done so. */
async function storePart(
  deps: FinishDeps,
  image: Image,
  { part, spool }: { part: string; spool: Spool },
): Promise<void> {
  const [row] = await deps.database.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.part_of = $1 AND i.part = $2`,
    [Number(image.id), part],
  );
  if (row?.sha256 === spool.sha256) return;
  // A part of the image before its regeneration.
  if (row) await purgeImage(deps, imageOf(row));
  const { userId, username, toolName, requestId, messageId, tags, prompt, model, provider } = image;
  await ingest(deps, spool, {
    userId,
    username,
    toolName,
    requestId,
    messageId,
    tags,
    prompt,
    model,
    provider,
    visibility: isPublic(image) ? 'public' : 'private',
    metadata: null,
    origin: 'generated',
    filename: `${toolName}-${part}`,
    partOf: image.id,
    part,
    // The whole may have become private, or been put into the trash, since it was read.
    alsoRecord: async (sql, recorded) => {
      await sql.query(LOCK_WHOLE, [image.id]);
      await sql.query(COPY_FROM_WHOLE, [recorded.id]);
    },
  });
}

async function storeImage(
  deps: FinishDeps,
  { generation, image }: Subject,
  { spool, toolMetadata }: { spool: Spool; toolMetadata: Finished['metadata'] },
): Promise<void> {
  const { response, request } = generation;
  const metadata = {
    ...(response && Object.keys(response.metadata).length > 0 ? { provider: response.metadata } : {}),
    ...(Object.keys(toolMetadata).length > 0 ? { tool: toolMetadata } : {}),
    ...(response?.expiresAt ? { originalUrlExpiresAt: response.expiresAt } : {}),
  };
  await ingestInto(deps, spool, {
    id: image.id,
    uuid: image.uuid,
    // A regenerated image keeps its name.
    filename: image.filename ?? request.stem,
    exact: true,
    learnt: {
      revisedPrompt: response?.revisedPrompt ?? null,
      originalUrl: response?.address ?? null,
      metadata,
    },
    recordFirst: (transaction) => recordDone(deps, transaction, generation),
  });
}

const RECORD_DONE = `UPDATE generations SET state = 'done', attempts = $2::text::jsonb, updated_at = now()
  WHERE image_id = $1 AND state = 'answered' AND calls = $3 RETURNING image_id`;

/** Ends the generation in the transaction that stores its image. @throws Overtaken */
async function recordDone(deps: FinishDeps, sql: Queryable, generation: Generation): Promise<void> {
  const attempts = endAttempt(generation.attempts, { code: null, message: null, retryAt: null });
  const rows = await sql.query(RECORD_DONE, [generation.imageId, JSON.stringify(attempts), generation.calls]);
  if (rows.length === 0) throw new Overtaken();
  await queueDependents(deps.queue, sql, generation.imageId);
}

/** Another worker has finished the generation, or it was cancelled. Rolls back what this worker has begun. */
export class Overtaken extends Error {}
