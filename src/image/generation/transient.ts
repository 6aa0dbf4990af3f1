import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { v7 as uuidV7 } from 'uuid';
import { FixativeError } from '../../errors.ts';
import type { Attachment } from '../../provider/provider.ts';
import type { Providers } from '../../provider/providers.ts';
import type { Fetcher } from '../../source/fetch.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import { drawChart } from '../../tool/chart-drawing.ts';
import type { Chart } from '../../tool/chart-json.ts';
import { composeComic } from '../../tool/comic.ts';
import { findTool } from '../../tool/tools.ts';
import type { Image, ImageDeps } from '../image.ts';
import { exactFilename } from '../ingest/filename.ts';
import { readableOf } from './finish.ts';
import type { PlannedImage } from './plan.ts';
import type { Places } from './provider-concurrency.ts';
import type { LooseFiles } from './references.ts';
import { makeRequest } from './request.ts';

/**
 * Makes images without keeping them (SAVE_GENERATED_IMAGES=false): they are answered this once, as data addresses, and neither row, job nor
 * bytes are stored. So they are lost with the request, and a provider that fails is not asked again.
 */

export interface TransientDeps extends ImageDeps {
  readonly providers: Providers;
  readonly fetcher: Fetcher;
  /** Runs so many at once of one provider as are allowed. */
  readonly transientPlaces: Places;
  readonly log: Logger;
}

type Described = Omit<Partial<Image>, 'metadata'> & {
  readonly metadata: Record<string, unknown> | null;
  readonly userId: string;
};

/** What became of one: a file until the end of the request, or why there is none. */
type Outcome =
  | {
      readonly spool: Spool;
      readonly revisedPrompt: string | null;
      readonly originalUrl: string | null;
      readonly said: object;
    }
  | { readonly error: unknown };

export async function makeTransient(
  deps: TransientDeps,
  planned: readonly PlannedImage[],
  { describe, loose }: { describe(image: PlannedImage): Described; readonly loose: LooseFiles },
): Promise<(Image & { dataUrl?: string })[]> {
  const outcomes = new Map<number, Promise<Outcome>>();
  const spools: Spool[] = [];
  const keep = async (receiving: Promise<Spool>) => {
    const spool = await receiving;
    spools.push(spool);
    return spool;
  };
  const receive = (bytes: Uint8Array) =>
    keep(
      deps.storage.spooler.receive(readableOf(bytes), {
        subject: "The provider's picture",
      }),
    );

  async function make(image: PlannedImage, userId: string): Promise<Outcome> {
    const before = await Promise.all(image.waitsFor.map((place) => outcomes.get(place)));
    const failed = before.find((outcome) => outcome && 'error' in outcome);
    if (failed) return failed;
    const files = before.flatMap((outcome) => (outcome && 'spool' in outcome ? [outcome.spool] : []));
    const { order } = image;
    if (image.work !== 'ask') {
      const { bytes, metadata } =
        image.work === 'chart'
          ? await drawChart(order.chart as Chart, order.size)
          : await composeComic(files.map(({ path }) => ({ file: path })));
      return {
        spool: await receive(bytes),
        revisedPrompt: null,
        originalUrl: null,
        said: { tool: metadata },
      };
    }
    const request = await makeRequest(deps, order, { user: userId, loose });
    const first =
      image.refersTo === null
        ? []
        : await Promise.all(files.slice(0, 1).map((spool) => attachmentOf(deps, spool)));
    const { provider } = deps.providers.find(order.model);
    const answer = await deps.transientPlaces(order.lane, () =>
      provider.generate(
        { ...request, references: [...request.references, ...first] },
        new AbortController().signal,
      ),
    );
    const { picture, revisedPrompt, metadata } = answer;
    const spool =
      'bytes' in picture
        ? await receive(picture.bytes)
        : await keep(deps.fetcher.fetch(picture.address).then((fetched) => fetched.spool));
    const originalUrl = 'address' in picture ? picture.address : null;
    const { finish } = findTool(order.tool);
    if (finish === null) return { spool, revisedPrompt, originalUrl, said: { provider: metadata } };
    const finished = await finish(spool.path, order.size);
    const said = { provider: metadata, tool: finished.metadata };
    return { spool: await receive(finished.bytes), revisedPrompt, originalUrl, said };
  }

  try {
    // Wholes come before their parts, so all of them are begun before the first looks for another.
    for (const [index, image] of planned.entries()) {
      const { userId } = describe(image);
      const making = Promise.resolve().then(() => make(image, userId));
      outcomes.set(
        index,
        making.catch((error: unknown) => ({ error })),
      );
    }
    await Promise.all(outcomes.values());
    const results = [...planned.entries()].filter(([, { partOf }]) => partOf === null);
    return await Promise.all(
      results.map(async ([index, image]) => {
        const outcome = (await outcomes.get(index)) as Outcome;
        if ('error' in outcome) deps.log.warn({ err: outcome.error }, 'a generation that is not kept failed');
        const subject = { planned: image, described: describe(image) };
        // What a provider gives may be no picture.
        return answerOf(deps, subject, outcome).catch((error) => answerOf(deps, subject, { error }));
      }),
    );
  } finally {
    await Promise.all(outcomes.values());
    for (const spool of spools) await spool.discard();
  }
}

async function attachmentOf({ storage }: Pick<ImageDeps, 'storage'>, spool: Spool): Promise<Attachment> {
  const { mimeType } = await storage.readPicture(spool);
  return { bytes: await readFile(spool.path), mimeType };
}

/** As an image would be, but for what only a row has. */
async function answerOf(
  { storage }: Pick<ImageDeps, 'storage'>,
  { planned, described }: { planned: PlannedImage; described: Described },
  outcome: Outcome,
): Promise<Image & { dataUrl?: string }> {
  const now = new Date();
  const image = {
    ...NOTHING,
    ...described,
    uuid: uuidV7(),
    createdAt: now,
    updatedAt: now,
  } as Image;
  if ('error' in outcome) {
    const known = outcome.error instanceof FixativeError ? outcome.error : null;
    return {
      ...image,
      status: 'failed',
      error: known?.message ?? 'The server failed; its log says why.',
      errorCode: known?.code ?? 'INTERNAL',
      errorRetryable: known?.retryable ?? true,
    };
  }
  const { spool, revisedPrompt, originalUrl, said } = outcome;
  const bytes = await readFile(spool.path);
  const { mimeType, width, height, thumbhash } = await storage.readPicture(spool);
  return {
    ...image,
    status: 'success',
    revisedPrompt,
    originalUrl,
    metadata: { ...said, ...described.metadata } as Image['metadata'],
    mimeType,
    width,
    height,
    thumbhash,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    filename: exactFilename(planned.order.stem, mimeType),
    dataUrl: `data:${mimeType};base64,${bytes.toString('base64')}`,
  };
}

const NOTHING: Omit<
  Image,
  'uuid' | 'userId' | 'toolName' | 'prompt' | 'origin' | 'status' | 'createdAt' | 'updatedAt'
> = {
  id: 0n,
  requestId: null,
  username: null,
  revisedPrompt: null,
  provider: null,
  model: null,
  size: null,
  quality: null,
  style: null,
  n: 1,
  filename: null,
  originalFilename: null,
  storageUrl: '',
  storageProvider: null,
  originalUrl: null,
  mimeType: null,
  bytes: null,
  sha256: null,
  width: null,
  height: null,
  thumbhash: null,
  tags: [],
  error: null,
  errorCode: null,
  errorRetryable: null,
  metadata: null,
  messageId: null,
  blobId: null,
  visibility: 'public',
  deletedAt: null,
  parentId: null,
  partOf: null,
  part: null,
};
