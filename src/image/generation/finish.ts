import { Readable } from 'node:stream';
import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { findBlob } from '../../storage/blob.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import { drawChart } from '../../tool/chart-drawing.ts';
import type { Chart } from '../../tool/chart-json.ts';
import { composeComic } from '../../tool/comic.ts';
import type { Finished } from '../../tool/tool.ts';
import { findTool } from '../../tool/tools.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf, isPublic } from '../image.ts';
import { ingest, ingestInto } from '../ingest/ingest.ts';
import { purgeImage } from '../trash/purge.ts';
import { endAttempt, type Generation, pushWaiting } from './generation.ts';
import type { FoundAnswer } from './provider-responses.ts';
import type { RunDeps } from './worker.ts';

/**
 * Makes the image of what was answered: takes the picture into a spool, has the tool finish it, keeps the provider's original and what the
 * tool made beside it as parts, and ends with the image itself, in one transaction with the end of the generation. Every step may have been
 * done before by one that was killed.
 * @throws what storage, source and tool throw; nothing is lost then, and it may be called again.
 */
export async function finishGeneration(
  deps: RunDeps,
  { generation, image, open }: Pick<Making, 'generation' | 'image' | 'open'>,
): Promise<void> {
  const { spooler } = deps.storage;
  const spools: Spool[] = [];
  const spoolOf = async (bytes: Readable) => {
    const spool = await spooler.receive(bytes, { subject: "The provider's picture" });
    spools.push(spool);
    return spool;
  };
  try {
    const made = await PICTURES[generation.work](deps, { generation, image, open, spoolOf, spools });
    const { tool, size } = generation.request;
    const { finish } = findTool(tool);
    if (finish === null || generation.work !== 'ask') {
      await keepImage(deps, { generation, image, spool: made.spool, toolSaid: made.metadata });
      return;
    }
    const finished = await finish(made.spool.path, size);
    await keepPart(deps, image, 'original', made.spool);
    for (const { part, bytes } of finished.variants)
      await keepPart(deps, image, part, await spoolOf(readableOf(bytes)));
    const spool = await spoolOf(readableOf(finished.bytes));
    await keepImage(deps, { generation, image, spool, toolSaid: finished.metadata });
  } finally {
    for (const spool of spools) await spool.discard();
  }
}

interface Making {
  readonly generation: Generation;
  readonly image: Image;
  /** The picture that was answered, where it was more than an address. */
  readonly open: FoundAnswer['open'];
  readonly spoolOf: (bytes: Readable) => Promise<Spool>;
  /** Discarded at the end. */
  readonly spools: Spool[];
}

type Made = { readonly spool: Spool; readonly metadata: Finished['metadata'] };

const PICTURES: Record<Generation['work'], (deps: RunDeps, making: Making) => Promise<Made>> = {
  async ask({ fetcher }, { generation, open, spoolOf, spools }) {
    const address = generation.answer?.address;
    if (address) {
      const { spool } = await fetcher.fetch(address);
      spools.push(spool);
      return { spool, metadata: {} };
    }
    if (!open) {
      throw new FixativeError(
        'INTERRUPTED',
        "The provider's picture is no longer on the disk of the worker.",
        {
          retryable: false,
        },
      );
    }
    return { spool: await spoolOf(open()), metadata: {} };
  },

  async compose({ database, storage }, { generation, spoolOf }) {
    const rows = await database.query<ImageRow>(
      `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = ANY($1::bigint[]) ORDER BY i.part`,
      [generation.waitsFor],
    );
    const panels: Spool[] = [];
    for (const { blobId } of rows) {
      const blob = blobId === null ? null : await findBlob(database, { id: blobId });
      if (!blob) throw new FixativeError('NOT_FOUND', 'A panel of the page has no bytes any more.');
      panels.push(await spoolOf((await storage.open(blob)).stream));
    }
    const { bytes, metadata } = await composeComic(panels.map(({ path }) => ({ file: path })));
    return { spool: await spoolOf(readableOf(bytes)), metadata };
  },

  async chart(_deps, { generation, spoolOf }) {
    const { chart, size } = generation.request;
    const { bytes, metadata } = await drawChart(chart as Chart, size);
    return { spool: await spoolOf(readableOf(bytes)), metadata };
  },
};

// In a statement of its own, so that the next one sees what whoever held it has written; `updateImage` takes it too.
const LOCK_WHOLE = 'SELECT w.id FROM generated_images w WHERE w.id = $1::bigint FOR UPDATE';
const LIKE_WHOLE = `UPDATE generated_images p SET visibility = w.visibility, deleted_at = w.deleted_at FROM generated_images w
  WHERE p.id = $1::bigint AND w.id = p.part_of`;

/** Keeps what belongs to an image as a part of it, unless one that was killed has done so. */
async function keepPart(deps: RunDeps, image: Image, part: string, spool: Spool): Promise<void> {
  const [row] = await deps.database.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.part_of = $1 AND i.part = $2`,
    [Number(image.id), part],
  );
  if (row?.sha256 === spool.sha256) return;
  // Of what was made before; the image is made again.
  if (row) await purgeImage(deps, imageOf(row));
  const { userId, username, toolName, requestId, messageId, tags, prompt, model, provider } = image;
  await ingest(deps, spool, {
    ...{ userId, username, toolName, requestId, messageId, tags, prompt, model, provider },
    visibility: isPublic(image) ? 'public' : 'private',
    metadata: null,
    origin: 'generated',
    filename: `${toolName}-${part}`,
    partOf: image.id,
    part,
    // The whole may have been made private, or put into the trash, since it was read.
    alsoRecord: async (sql, recorded) => {
      await sql.query(LOCK_WHOLE, [image.id]);
      await sql.query(LIKE_WHOLE, [recorded.id]);
    },
  });
}

async function keepImage(
  deps: RunDeps,
  {
    generation,
    image,
    spool,
    toolSaid,
  }: { generation: Generation; image: Image; spool: Spool; toolSaid: Finished['metadata'] },
): Promise<void> {
  const { answer, request } = generation;
  const said = {
    ...(answer && Object.keys(answer.metadata).length > 0 ? { provider: answer.metadata } : {}),
    ...(Object.keys(toolSaid).length > 0 ? { tool: toolSaid } : {}),
    ...(answer?.expiresAt ? { originalUrlExpiresAt: answer.expiresAt } : {}),
  };
  await ingestInto(deps, spool, {
    id: image.id,
    uuid: image.uuid,
    // Made again, it keeps the name that it has.
    filename: image.filename ?? request.stem,
    exact: true,
    learnt: {
      revisedPrompt: answer?.revisedPrompt ?? null,
      originalUrl: answer?.address ?? null,
      metadata: said,
    },
    recordFirst: (transaction) => end(deps, transaction, generation),
  });
}

/** Ends the generation with the image; another worker may have done so, or somebody cancelled it, and then nothing is recorded. */
async function end(deps: RunDeps, sql: Queryable, generation: Generation): Promise<void> {
  const attempts = endAttempt(generation.attempts, { code: null, message: null, retryAt: null });
  const rows = await sql.query(
    `UPDATE generations SET state = 'done', attempts = $2::text::jsonb, updated_at = now()
       WHERE image_id = $1 AND state = 'answered' AND calls = $3 RETURNING image_id`,
    [generation.imageId, JSON.stringify(attempts), generation.calls],
  );
  if (rows.length === 0) throw new Overtaken();
  await pushWaiting(deps.queue, sql, generation.imageId);
}

/** Somebody else ended the generation meanwhile; what was begun here is rolled back. */
export class Overtaken extends Error {}

/** So much is hashed and written at a time. */
const PART_BYTES = 256 * 1024;

/** What is in memory as a spool takes it: in parts, for a whole picture at once would hold the event loop. */
export function readableOf(bytes: Uint8Array): Readable {
  return Readable.from(partsOf(bytes), { objectMode: false });
}

function* partsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PART_BYTES) yield bytes.subarray(at, at + PART_BYTES);
}
