/**
 * Pictures through the AI SDK, for every provider that it speaks to. One call makes one picture and is never repeated here: a
 * call costs money, and whether to try again is for the queue to say, which reads the class of the error. What is common is here;
 * what differs between providers is a `Family`, a file each. sdk-fetch.ts keeps the SDK in bounds, sdk-errors.ts says what went wrong.
 *
 * The packages are loaded at the first call: together they take half a second, which a server that starts should not pay.
 */
import type { generateImage, ImageModel } from 'ai';
import { ProviderError } from '../errors.ts';
import { expiryOf } from '../fetch/expiry.ts';
import { priceOf } from './models.ts';
import type { Answer, Model, PictureRequest, Provider } from './provider.ts';
import {
  type Cleaner,
  causes,
  makeCleaner,
  refused,
  type Subject,
  summarize,
  toProviderError,
} from './sdk-errors.ts';
import { type Call, type Look, makeCall, makeFetch } from './sdk-fetch.ts';

const MiB = 1024 * 1024;

export interface ConnectionOptions {
  /** null: the endpoint asks for none. */
  readonly apiKey: string | null;
  /** Such as `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** For a whole call, from connecting to the last byte, all questions whether it is done included. Default 180; the best qualities take minutes. */
  readonly timeoutSeconds?: number;
  /** Of an answer as JSON, after decompression; a picture in it is a quarter smaller. Default 100 MiB. */
  readonly maxAnswerBytes?: number;
}

/** What is known of one provider and of no other. */
export interface Family<Row extends Model = Model> extends Subject {
  /** The models that are served as configured; the first one is the default. */
  readonly models: readonly Row[];
  /** Loads the package, and returns what makes the SDK's model, all of whose requests go through the fetch that is given. */
  load(): Promise<(row: Row, fetch: typeof globalThis.fetch) => ImageModel>;
  /** How a request that was checked against the row is said to the SDK. */
  say(request: PictureRequest, row: Row): Said;
  /** Under which name the SDK gives back what the provider said, and what of that is worth keeping; `images` holds one entry for each picture. */
  readonly metadataKey: string;
  hear?(said: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** Why there is no picture, where the SDK's result says so; null where it does not. */
  whyNone?(said: Readonly<Record<string, unknown>>): string | null;
  readonly look?: Look;
}

/** The part of a family that an answer is read by. */
type Hearing = Pick<Family, 'name' | 'label' | 'metadataKey' | 'hear' | 'whyNone'>;

export type Said = Pick<
  Parameters<typeof generateImage>[0],
  'size' | 'aspectRatio' | 'seed' | 'providerOptions'
>;

/** A provider that holds connections. */
export interface SdkProvider extends Provider {
  /** Waits for the calls under way, which their signals can end, and closes the connections. */
  close(): Promise<void>;
}

/**
 * Opens a provider; nothing is loaded or sent before the first `generate`.
 *
 * A picture's metadata has `requestId` (what the provider's support asks for), `usage` in tokens, `warnings` of the SDK, `costUsd`, and
 * what the answer says of itself, each only where it is known.
 *
 * `generate` throws ProviderError: `PROVIDER_BUSY` (429; retryable, with the time to wait where it is given),
 * `PROVIDER_UNAUTHORIZED` (401, 403), `PROVIDER_REFUSED` (moderation), and `PROVIDER_FAILED` for the rest, which is retryable
 * when the fault lies with the network, the time, the server or its answer, or when the caller's signal was aborted, and not
 * when it lies with the request or the account. It is `paid` when the request may have been carried out although no picture came: when
 * it was given up while the provider worked, or when what came of it could not be read.
 */
export function openAiSdkProvider<Row extends Model>(
  family: Family<Row>,
  options: ConnectionOptions,
): SdkProvider {
  const underWay = new Set<Promise<Answer>>();
  let client: Promise<Client> | null = null;
  let closed: Promise<void> | null = null;

  async function generate(request: PictureRequest, signal: AbortSignal): Promise<Answer> {
    if (closed !== null) {
      const message = `The server stops and asks ${family.label} for nothing more.`;
      throw new ProviderError('PROVIDER_FAILED', message, { provider: family.name }, { retryable: true });
    }
    client ??= openClient(family, options);
    const picture = client.then(({ draw }) => draw(request, signal), unloadable);
    underWay.add(picture);
    return picture.finally(() => underWay.delete(picture));
  }

  /** Nothing was sent, and the next call tries again. */
  function unloadable(cause: unknown): never {
    client = null;
    const message = `The packages through which ${family.label} is asked could not be loaded; is node_modules whole?`;
    throw new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: family.name },
      { retryable: true, cause },
    );
  }

  async function closeOnce(): Promise<void> {
    await Promise.allSettled(underWay);
    await (await client?.catch(() => null))?.close();
  }

  return {
    name: family.name,
    models: family.models,
    generate,
    close: () => {
      closed ??= closeOnce();
      return closed;
    },
  };
}

interface Client {
  draw(request: PictureRequest, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

type Sdk = typeof import('ai');

async function openClient<Row extends Model>(
  family: Family<Row>,
  options: ConnectionOptions,
): Promise<Client> {
  const [sdk, undici, makeModel] = await Promise.all([import('ai'), import('undici'), family.load()]);
  // Its warnings are in the metadata of the picture; to the console they would go past our log.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  const { apiKey, timeoutSeconds = 180, maxAnswerBytes: maxBytes = 100 * MiB } = options;
  // The signal bounds the whole call; undici's own limits of five minutes would only cut a longer time-out short.
  const agent = new undici.Agent({ headersTimeout: 0, bodyTimeout: 0 });
  const clean = makeCleaner(apiKey);
  const deps = { undici, agent, provider: family.name, label: family.label, maxBytes, look: family.look };

  async function draw(request: PictureRequest, signal: AbortSignal): Promise<Answer> {
    const row = family.models.find(({ id }) => id === request.model);
    if (!row) throw new TypeError(`${family.label} serves no ${request.model}.`);
    const timeout = AbortSignal.timeout(Math.ceil(timeoutSeconds * 1000));
    const call = makeCall();
    try {
      const result = await sdk.generateImage({
        model: makeModel(row, makeFetch(deps, call)),
        prompt: promptOf(request),
        n: 1,
        ...family.say(request, row),
        maxRetries: 0,
        abortSignal: AbortSignal.any([signal, timeout]),
      });
      return toAnswer(family, result, { call, costUsd: priceOf(row, request) });
    } catch (error) {
      const seconds = timeout.aborted ? timeoutSeconds : null;
      throw explain(family, error, { call, clean, sdk, cancelled: signal.aborted, seconds });
    }
  }

  return { draw, close: () => agent.close() };
}

function promptOf({
  prompt,
  references,
  mask,
}: PictureRequest): Parameters<typeof generateImage>[0]['prompt'] {
  if (references.length === 0) return prompt;
  return {
    text: prompt,
    images: references.map(({ bytes }) => bytes),
    ...(mask === null ? {} : { mask: mask.bytes }),
  };
}

/** The part of the SDK's result that is read here. */
type SdkResult = Pick<Awaited<ReturnType<typeof generateImage>>, 'image' | 'usage' | 'warnings' | 'calls'>;

function toAnswer(
  family: Hearing,
  { image, usage, warnings, calls }: SdkResult,
  { call, costUsd }: { call: Call; costUsd: number | null },
): Answer {
  const { revisedPrompt = call.revisedPrompt, ...said } = saidOf(family, calls);
  const metadata = {
    requestId: call.requestId,
    usage: usage.totalTokens === undefined ? undefined : usage,
    warnings: warnings.length === 0 ? undefined : warnings,
    costUsd: costUsd ?? undefined,
    ...(family.hear?.(said) ?? said),
    ...call.notes,
  };
  return {
    picture: call.address === null ? bytesOf(family, image, call) : pictureAt(call.address),
    revisedPrompt: typeof revisedPrompt === 'string' ? revisedPrompt : null,
    // The way through JSON drops what is undefined.
    metadata: JSON.parse(JSON.stringify(metadata)),
  };
}

function pictureAt(address: string): Answer['picture'] {
  return { address, expiresAt: expiryOf(address) };
}

function bytesOf(
  { name, label }: Subject,
  { base64 }: SdkResult['image'],
  { pictures }: Call,
): Answer['picture'] {
  const bytes = pictures.get(base64) ?? Buffer.from(base64, 'base64');
  if (bytes.length > 0) return { bytes };
  const message = `${label} answered with an empty picture.`;
  throw new ProviderError('PROVIDER_FAILED', message, { provider: name, paid: true }, { retryable: true });
}

/** What the provider said of the answer and of its one picture. The SDK's own sum of it knows only the latter. */
function saidOf(
  { metadataKey }: Hearing,
  calls: readonly { readonly providerMetadata?: unknown }[] | undefined,
): Readonly<Record<string, unknown>> {
  const all = calls?.[0]?.providerMetadata as Record<string, Record<string, unknown> | undefined> | undefined;
  const { images, ...rest } = all?.[metadataKey] ?? {};
  return { ...rest, ...(Array.isArray(images) ? images[0] : {}) };
}

/** Gives whatever was thrown its class. */
function explain(
  family: Hearing,
  error: unknown,
  how: { call: Call; clean: Cleaner; sdk: Sdk; cancelled: boolean; seconds: number | null },
): ProviderError {
  const { call, clean, sdk } = how;
  const { name, label } = family;
  const cause = summarize(error, clean);
  const fail = (message: string, retryable: boolean): ProviderError =>
    new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: name, paid: call.sentAt !== null },
      { retryable, cause },
    );
  const ours = causes(error).find((e) => e instanceof ProviderError);
  if (ours !== undefined) return ours;
  if (how.cancelled) return fail(`The request to ${label} was cancelled.`, true);
  if (how.seconds !== null) return fail(`${label} did not answer within ${how.seconds} seconds.`, true);
  if (sdk.APICallError.isInstance(error)) return toProviderError(family, error, { call, clean });
  if (sdk.NoImageGeneratedError.isInstance(error)) {
    const why = family.whyNone?.(saidOf(family, error.calls));
    if (why) return refused(family, clean(why));
    const words = call.words === null ? '.' : `: ${clean(call.words)}`;
    return fail(`${label} answered without a picture${words}`, true);
  }
  if (call.accepted) return fail(`${label} answered with no picture: ${clean(String(error))}`, true);
  return fail(`The request to ${label} could not be made: ${clean(String(error))}`, false);
}
