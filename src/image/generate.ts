import { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { v7 as uuidV7 } from 'uuid';
import { Prisma } from '../database/generated/client/client.ts';
import { FixativeError, InputError } from '../errors.ts';
import { checkRequest } from '../provider/models.ts';
import type { Answer, PictureRequest, Provider } from '../provider/provider.ts';
import type { Providers } from '../provider/providers.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf } from './image.ts';
import { ingestInto } from './ingest.ts';
import { checkCharacters, type ImageInput, parseImageInput } from './input.ts';

export const MAX_IMAGES_PER_REQUEST = 10;
export const DEFAULT_WAIT_SECONDS = 25;
export const MAX_WAIT_SECONDS = 120;

export interface GenerateInput extends ImageInput {
  readonly prompt: string;
  readonly model?: string | null | undefined;
  readonly size?: string | null | undefined;
  readonly quality?: string | null | undefined;
  readonly style?: string | null | undefined;
  /** How many images, 1 to 10; 1 by default. Each is a call to the provider and a row of its own. */
  readonly n?: number | null | undefined;
  /** How long to wait for them, 0 to 120; 25 by default. What is not ready by then goes on, and is answered as it is. */
  readonly waitSeconds?: number | null | undefined;
}

/** Runs generations; what is still under way when nobody waits for it any more is held here. */
export interface Generator {
  /**
   * @returns the images, each with what became of it: a provider that refuses or fails is told by the image's status and error.
   * @throws InputError for a request that no call should be paid for.
   */
  generate(input: GenerateInput, caller: { userId: string }): Promise<Image[]>;
  /** Resolves when no generation is under way. */
  settled(): Promise<void>;
}

export interface GenerateDeps extends ImageDeps {
  readonly providers: Providers;
  readonly log: Logger;
}

export function makeGenerator(deps: GenerateDeps): Generator {
  const underWay = new Set<Promise<void>>();
  return {
    async generate(input, caller) {
      const { rows, provider, request, waitSeconds } = await begin(deps, input, caller);
      const work = Promise.all(rows.map((row) => run(deps, row, provider, request))).then(() => {});
      underWay.add(work);
      work.finally(() => underWay.delete(work));
      await finishedWithin(work, waitSeconds);
      return readAgain(deps, rows);
    },
    async settled() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

/** Checks everything that can be checked, and writes the rows: from here on nothing that is asked for can be forgotten. */
async function begin(deps: GenerateDeps, input: GenerateInput, caller: { userId: string }) {
  const record = parseImageInput(input, { ...caller, tool: 'generateUserImage' });
  const n = checkRange('n', input.n ?? 1, 1, MAX_IMAGES_PER_REQUEST);
  const waitSeconds = checkRange(
    'waitSeconds',
    input.waitSeconds ?? DEFAULT_WAIT_SECONDS,
    0,
    MAX_WAIT_SECONDS,
  );
  const { provider, model } = deps.providers.find(input.model ?? deps.providers.defaultModel.id);
  const settings = checkRequest(model, input);
  checkCharacters('prompt', input.prompt);

  // Refused before the provider is paid for what could not be kept.
  await deps.storage.requireSpace();
  const rows = await deps.database.prisma.image.createManyAndReturn({
    data: Array.from({ length: n }, () => ({
      ...record,
      metadata: record.metadata === null ? Prisma.DbNull : (record.metadata as Prisma.InputJsonObject),
      size: settings.size,
      quality: settings.quality,
      style: settings.style,
      uuid: uuidV7(),
      prompt: input.prompt,
      origin: 'generated',
      status: 'processing',
      provider: provider.name,
      model: model.id,
      n,
    })),
  });
  const request: PictureRequest = {
    model: model.id,
    prompt: input.prompt,
    user: record.userId,
    ...settings,
    references: [],
    mask: null,
  };
  return { rows, provider, request, waitSeconds };
}

/** One image: asks the provider, keeps what it gives, or records why there is nothing to keep. Never throws. */
async function run(
  deps: GenerateDeps,
  row: Image,
  provider: Provider,
  request: PictureRequest,
): Promise<void> {
  try {
    // The time-out is the provider's own matter; nothing else cancels a generation yet.
    const picture = await provider.generate(request, new AbortController().signal);
    await keep(deps, row, picture);
  } catch (error) {
    await recordFailure(deps, row, error);
  }
}

async function keep(deps: GenerateDeps, row: Image, picture: Answer): Promise<void> {
  if (!('bytes' in picture.picture)) throw new TypeError('An address came, and none was expected.');
  const { spooler } = deps.storage;
  const spool = await spooler.receive(Readable.from([picture.picture.bytes], { objectMode: false }), {
    subject: "The provider's picture",
  });
  try {
    await ingestInto(deps, spool, {
      id: row.id,
      uuid: row.uuid,
      filename: `${row.toolName}-${row.createdAt.getTime()}`,
      more: {
        revisedPrompt: picture.revisedPrompt,
        ...(Object.keys(picture.metadata).length > 0
          ? {
              // What the client said stays as it was said.
              metadata: { provider: picture.metadata, ...(row.metadata as object) } as Prisma.InputJsonObject,
            }
          : {}),
      },
    });
  } finally {
    await spool.discard();
  }
}

async function recordFailure(deps: GenerateDeps, row: Image, error: unknown): Promise<void> {
  const known = error instanceof FixativeError;
  deps.log[known ? 'warn' : 'error']({ image: row.uuid, err: error }, 'a generation failed');
  await deps.database.prisma.image
    .update({
      where: { id: row.id },
      data: {
        status: 'failed',
        error: known ? error.message : 'The server failed; its log has it under the id of this image.',
        errorCode: known ? error.code : 'INTERNAL',
        errorRetryable: known ? error.retryable : true,
      },
    })
    .catch((cause) =>
      deps.log.error({ image: row.uuid, err: cause }, 'could not record that a generation failed'),
    );
}

async function finishedWithin(work: Promise<void>, seconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([work, time]).finally(() => clearTimeout(timer));
}

async function readAgain(deps: GenerateDeps, rows: readonly Image[]): Promise<Image[]> {
  const now = await deps.database.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = ANY($1::bigint[]) ORDER BY i.id`,
    [rows.map((row) => Number(row.id))],
  );
  return now.map(imageOf);
}

function checkRange(field: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new InputError('INVALID_INPUT', `${field} is ${value}; it goes from ${low} to ${high}.`, {
    path: ['input', field],
  });
}
