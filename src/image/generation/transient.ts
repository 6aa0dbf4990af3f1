/**
 * Generates images without storing them (SAVE_GENERATED_IMAGES=false). They are returned once, as data URLs;
 * no row, job or bytes are stored. So they are lost when the request breaks off, and a call that fails is not
 * retried.
 */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Fetcher } from '../../fetch/fetch.ts';
import type { Attachment, PictureResponse } from '../../provider/provider.ts';
import type { Providers } from '../../provider/providers.ts';
import type { Spool } from '../../storage/spool/spool.ts';
import { drawChart } from '../../tool/chart-drawing.ts';
import type { Chart } from '../../tool/chart-json.ts';
import { composeComic } from '../../tool/comic.ts';
import { findTool } from '../../tool/tools.ts';
import type { Image, ImageDeps } from '../image.ts';
import type { GenerationRequest } from './generation.ts';
import type { PlannedImage } from './plan/planned-image.ts';
import type { ProviderConcurrency } from './provider-concurrency.ts';
import { makeProviderRequest } from './provider-request.ts';
import { readableOf } from './readable.ts';
import type { TransientFiles } from './references.ts';
import { type KnownColumns, makeTransientImage, type Outcome } from './transient-image.ts';

export interface TransientDeps extends ImageDeps {
  readonly providers: Providers;
  readonly fetcher: Fetcher;
  /** Limits the calls under way for each provider. */
  readonly transientConcurrency: ProviderConcurrency;
  readonly log: Logger;
}

interface TransientOptions {
  columnsOf(image: PlannedImage): KnownColumns;
  requestOf(image: PlannedImage): GenerationRequest;
  readonly files: TransientFiles;
}

/** @returns the images that the client requested, without their parts. */
export async function generateTransient(
  deps: TransientDeps,
  planned: readonly PlannedImage[],
  options: TransientOptions,
): Promise<(Image & { dataUrl?: string })[]> {
  const spools: Spool[] = [];
  const outcomes: Promise<Outcome>[] = [];
  try {
    // All begin before the first of them looks for another, because a page comes before its panels in the
    // plan.
    for (const image of planned) {
      const generating = Promise.resolve().then(() =>
        generate({ deps, options, spools }, image, { outcomes }),
      );
      outcomes.push(generating.catch((error: unknown) => ({ error })));
    }
    await Promise.all(outcomes);
    const results = [...planned.entries()].filter(([, { partOf }]) => partOf === null);
    return await Promise.all(
      results.map(async ([index, image]) => {
        const outcome = (await outcomes[index]) as Outcome;
        if ('error' in outcome) deps.log.warn({ err: outcome.error }, 'a generation that is not kept failed');
        const subject = { stem: image.request.stem, columns: options.columnsOf(image) };
        // The bytes from a provider may be no picture.
        return makeTransientImage(deps, subject, outcome).catch((error) =>
          makeTransientImage(deps, subject, { error }),
        );
      }),
    );
  } finally {
    await Promise.all(outcomes);
    for (const spool of spools) await spool.discard();
  }
}

interface Context {
  readonly deps: TransientDeps;
  readonly options: TransientOptions;
  /** Spools to discard at the end of the request. */
  readonly spools: Spool[];
}

/** Waits for the images that an image is made from, then makes it. */
async function generate(
  context: Context,
  image: PlannedImage,
  { outcomes }: { readonly outcomes: readonly Promise<Outcome>[] },
): Promise<Outcome> {
  const before = await Promise.all(image.waitsFor.map((index) => outcomes[index]));
  const failed = before.find((outcome) => outcome && 'error' in outcome);
  if (failed) return failed;
  const files = before.flatMap((outcome) => (outcome && 'spool' in outcome ? [outcome.spool] : []));
  if (image.kind === 'ask') return callProvider(context, image, files);
  const { chart, size } = image.request;
  const { bytes, metadata } =
    image.kind === 'chart'
      ? await drawChart(chart as Chart, size)
      : await composeComic(files.map(({ path }) => ({ file: path })));
  const spool = await receive(context, bytes);
  return { spool, revisedPrompt: null, originalUrl: null, metadata: { tool: metadata } };
}

async function callProvider(
  context: Context,
  image: PlannedImage,
  files: readonly Spool[],
): Promise<Outcome> {
  const { deps, options } = context;
  const { lane, model, tool, size } = image.request;
  const { userId } = options.columnsOf(image);
  const stored = options.requestOf(image);
  const request = await makeProviderRequest(deps, stored, { user: userId, files: options.files });
  const [first] = image.refersTo === null ? [] : files;
  const references = [...request.references, ...(first ? [await attachmentOf(deps, first)] : [])];
  const { provider } = deps.providers.find(model);
  const response = await deps.transientConcurrency(lane, () =>
    provider.generate({ ...request, references }, new AbortController().signal),
  );
  const { picture, revisedPrompt, metadata } = response;
  const spool = await receivePicture(context, picture);
  const originalUrl = 'address' in picture ? picture.address : null;
  const { finish } = findTool(tool);
  if (finish === null) return { spool, revisedPrompt, originalUrl, metadata: { provider: metadata } };
  const finished = await finish(spool.path, size);
  return {
    spool: await receive(context, finished.bytes),
    revisedPrompt,
    originalUrl,
    metadata: { provider: metadata, tool: finished.metadata },
  };
}

async function receivePicture(context: Context, picture: PictureResponse['picture']): Promise<Spool> {
  if ('bytes' in picture) return receive(context, picture.bytes);
  const { spool } = await context.deps.fetcher.fetch(picture.address);
  context.spools.push(spool);
  return spool;
}

async function receive({ deps, spools }: Context, bytes: Uint8Array): Promise<Spool> {
  const options = { subject: "The provider's picture" };
  const spool = await deps.storage.spooler.receive(readableOf(bytes), options);
  spools.push(spool);
  return spool;
}

async function attachmentOf({ storage }: Pick<ImageDeps, 'storage'>, spool: Spool): Promise<Attachment> {
  const { mimeType } = await storage.readPicture(spool);
  return { bytes: await readFile(spool.path), mimeType };
}
