/**
 * Runs every provider that is called through the AI SDK. One call makes one picture and is never repeated
 * here, because a call costs money. The queue decides about retries from the class of the error.
 *
 * This file has what all such providers share. Each provider has a file with its `SdkAdapter`. sdk-fetch.ts
 * limits what the SDK may do, and sdk-errors.ts translates its errors.
 *
 * The packages are loaded by the first call, because loading them takes half a second of the server's start.
 */
import type { generateImage, ImageModel } from 'ai';
import { ProviderError } from '../errors.ts';
import { expiryOf } from '../fetch/expiry.ts';
import { priceOf } from './models.ts';
import type { Model, PictureRequest, PictureResponse, Provider } from './provider.ts';
import {
  apiErrorToProviderError,
  causeChain,
  makeRedactor,
  type ProviderNames,
  providerRefusal,
  type Redactor,
  summarizeError,
} from './sdk-errors.ts';
import { makeSdkCall, makeSdkFetch, type ReadResponse, type SdkCall } from './sdk-fetch.ts';

const MiB = 1024 * 1024;

export interface ConnectionOptions {
  /** null: the endpoint needs no key. */
  readonly apiKey: string | null;
  /** Such as `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /**
   * Seconds for a whole call, from connecting to the last byte, polling included. Default 180, because the
   * best qualities take minutes.
   */
  readonly timeoutSeconds?: number;
  /**
   * Most bytes of a JSON response, after decompression. A picture within it is a quarter smaller, because of
   * base64. Default 100 MiB.
   */
  readonly maxResponseBytes?: number;
}

/** Models and functions that are specific to one provider. */
export interface SdkAdapter<Row extends Model = Model> extends ProviderNames {
  /** Models that are served as configured, with the default model first. */
  readonly models: readonly Row[];
  /**
   * Loads the provider's package. The returned function makes a model whose requests all go through `fetch`.
   */
  loadModelFactory(): Promise<(row: Row, fetch: typeof globalThis.fetch) => ImageModel>;
  /** Translates a checked request into arguments of the SDK. */
  callOptions(request: PictureRequest, row: Row): CallOptions;
  /** Key of the provider in the SDK's `providerMetadata`. Its `images` has one entry for each picture. */
  readonly metadataKey: string;
  /** Picks what to keep of the provider's metadata. Default: all of it. */
  pickMetadata?(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** Returns why the provider refused to make the picture; null: the metadata does not say so. */
  refusalReason?(metadata: Readonly<Record<string, unknown>>): string | null;
  readonly readResponse?: ReadResponse;
}

/** The part of an adapter that reads results. */
type ResultReader = Pick<SdkAdapter, 'name' | 'label' | 'metadataKey' | 'pickMetadata' | 'refusalReason'>;

export type CallOptions = Pick<
  Parameters<typeof generateImage>[0],
  'size' | 'aspectRatio' | 'seed' | 'providerOptions'
>;

/** A provider that holds connections. */
export interface SdkProvider extends Provider {
  /** Waits for the running calls and closes the connections. The calls' own signals can end them earlier. */
  close(): Promise<void>;
}

/**
 * Opens a provider. Nothing is loaded or sent before the first `generate`.
 *
 * A picture's metadata has, as far as they are known: `requestId` (the provider's support asks for it),
 * `usage` in tokens, `warnings` of the SDK, `costUsd`, and what `pickMetadata` keeps.
 *
 * `generate` throws ProviderError:
 *
 * | code | when | retryable |
 * |---|---|---|
 * | `PROVIDER_BUSY` | 429 | yes, after `retryAfterSeconds` when it is known |
 * | `PROVIDER_UNAUTHORIZED` | 401, 403, or a wrong key | no |
 * | `PROVIDER_REFUSED` | moderation | no |
 * | `PROVIDER_FAILED` | network, time-out, cancellation, 5xx, unreadable response | yes |
 * | `PROVIDER_FAILED` | invalid request, no credit, response too large or of another API | no |
 *
 * The error is `paid` when the provider may have done the work although no picture came.
 */
export function openSdkProvider<Row extends Model>(
  adapter: SdkAdapter<Row>,
  options: ConnectionOptions,
): SdkProvider {
  const running = new Set<Promise<PictureResponse>>();
  let client: Promise<SdkClient> | null = null;
  let closed: Promise<void> | null = null;

  async function generate(request: PictureRequest, signal: AbortSignal): Promise<PictureResponse> {
    if (closed !== null) {
      const message = `${adapter.label} was not called, because the server is stopping.`;
      throw new ProviderError('PROVIDER_FAILED', message, { provider: adapter.name }, { retryable: true });
    }
    client ??= openSdkClient(adapter, options);
    const picture = client.then(({ generate }) => generate(request, signal), failToLoad);
    running.add(picture);
    return picture.finally(() => running.delete(picture));
  }

  /** Lets the next call load the packages again. Nothing was sent. */
  function failToLoad(cause: unknown): never {
    client = null;
    const message = `The packages for ${adapter.label} could not be loaded. Run npm ci to repair node_modules.`;
    throw new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: adapter.name },
      { retryable: true, cause },
    );
  }

  async function closeOnce(): Promise<void> {
    await Promise.allSettled(running);
    await (await client?.catch(() => null))?.close();
  }

  return {
    name: adapter.name,
    models: adapter.models,
    generate,
    close: () => {
      closed ??= closeOnce();
      return closed;
    },
  };
}

interface SdkClient {
  generate(request: PictureRequest, signal: AbortSignal): Promise<PictureResponse>;
  close(): Promise<void>;
}

type Sdk = typeof import('ai');

async function openSdkClient<Row extends Model>(
  adapter: SdkAdapter<Row>,
  options: ConnectionOptions,
): Promise<SdkClient> {
  const [sdk, undici, makeModel] = await Promise.all([
    import('ai'),
    import('undici'),
    adapter.loadModelFactory(),
  ]);
  // The picture's metadata has the warnings. On the console they would bypass our log.
  globalThis.AI_SDK_LOG_WARNINGS = false;
  const { apiKey, timeoutSeconds = 180, maxResponseBytes: maxBytes = 100 * MiB } = options;
  // Our signal limits the whole call. undici's own limits of five minutes would cut a longer time-out short.
  const agent = new undici.Agent({ headersTimeout: 0, bodyTimeout: 0 });
  const redact = makeRedactor(apiKey);
  const { name: provider, label, readResponse } = adapter;
  const deps = { undici, agent, provider, label, maxBytes, readResponse };

  async function generate(request: PictureRequest, signal: AbortSignal): Promise<PictureResponse> {
    const row = adapter.models.find(({ id }) => id === request.model);
    if (!row) throw new TypeError(`${label} does not serve the model ${request.model}.`);
    const timeout = AbortSignal.timeout(Math.ceil(timeoutSeconds * 1000));
    const call = makeSdkCall();
    try {
      const result = await sdk.generateImage({
        model: makeModel(row, makeSdkFetch(deps, call)),
        prompt: sdkPromptOf(request),
        n: 1,
        ...adapter.callOptions(request, row),
        maxRetries: 0,
        abortSignal: AbortSignal.any([signal, timeout]),
      });
      return toPictureResponse(adapter, result, { call, costUsd: priceOf(row, request) });
    } catch (error) {
      const timedOutAfter = timeout.aborted ? timeoutSeconds : null;
      throw toProviderError(adapter, error, { call, redact, sdk, cancelled: signal.aborted, timedOutAfter });
    }
  }

  return { generate, close: () => agent.close() };
}

function sdkPromptOf({
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

function toPictureResponse(
  adapter: ResultReader,
  { image, usage, warnings, calls }: SdkResult,
  { call, costUsd }: { call: SdkCall; costUsd: number | null },
): PictureResponse {
  const { revisedPrompt = call.revisedPrompt, ...provided } = providerMetadataOf(adapter, calls);
  const metadata = {
    requestId: call.requestId,
    usage: usage.totalTokens === undefined ? undefined : usage,
    warnings: warnings.length === 0 ? undefined : warnings,
    costUsd: costUsd ?? undefined,
    ...(adapter.pickMetadata?.(provided) ?? provided),
    ...call.extraMetadata,
  };
  return {
    picture: call.pictureUrl === null ? bytesOf(adapter, image, call) : pictureAt(call.pictureUrl),
    revisedPrompt: typeof revisedPrompt === 'string' ? revisedPrompt : null,
    // Drops undefined values.
    metadata: JSON.parse(JSON.stringify(metadata)),
  };
}

function pictureAt(address: string): PictureResponse['picture'] {
  return { address, expiresAt: expiryOf(address) };
}

function bytesOf(
  { name, label }: ProviderNames,
  { base64 }: SdkResult['image'],
  { pictures }: SdkCall,
): PictureResponse['picture'] {
  const bytes = pictures.get(base64) ?? Buffer.from(base64, 'base64');
  if (bytes.length > 0) return { bytes };
  const message = `${label} sent an empty picture.`;
  throw new ProviderError('PROVIDER_FAILED', message, { provider: name, paid: true }, { retryable: true });
}

/**
 * Returns the provider's metadata of the response and of its one picture. The SDK's own summary has only the
 * latter.
 */
function providerMetadataOf(
  { metadataKey }: ResultReader,
  calls: readonly { readonly providerMetadata?: unknown }[] | undefined,
): Readonly<Record<string, unknown>> {
  const all = calls?.[0]?.providerMetadata as Record<string, Record<string, unknown> | undefined> | undefined;
  const { images, ...rest } = all?.[metadataKey] ?? {};
  return { ...rest, ...(Array.isArray(images) ? images[0] : {}) };
}

interface Failure {
  readonly call: SdkCall;
  readonly redact: Redactor;
  readonly sdk: Sdk;
  /** Whether the caller's signal was aborted. */
  readonly cancelled: boolean;
  /** Seconds of the time-out that ended the call; null: it did not time out. */
  readonly timedOutAfter: number | null;
}

/** Translates everything that a call can throw. */
function toProviderError(adapter: ResultReader, error: unknown, failure: Failure): ProviderError {
  const { call, redact, sdk } = failure;
  const { name, label } = adapter;
  const cause = summarizeError(error, redact);
  const fail = (message: string, retryable: boolean): ProviderError =>
    new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: name, paid: call.sentAt !== null },
      { retryable, cause },
    );
  const ours = causeChain(error).find((each) => each instanceof ProviderError);
  if (ours !== undefined) return ours;
  if (failure.cancelled) return fail(`The request to ${label} was cancelled.`, true);
  if (failure.timedOutAfter !== null)
    return fail(`${label} did not respond within ${failure.timedOutAfter} seconds.`, true);
  if (sdk.APICallError.isInstance(error)) return apiErrorToProviderError(adapter, error, { call, redact });
  if (sdk.NoImageGeneratedError.isInstance(error)) {
    const reason = adapter.refusalReason?.(providerMetadataOf(adapter, error.calls));
    if (reason) return providerRefusal(adapter, redact(reason));
    if (call.textInstead === null) return fail(`${label} responded without a picture.`, true);
    return fail(`${label} sent text instead of a picture: ${redact(call.textInstead)}`, true);
  }
  const reason = redact(String(error));
  if (call.accepted) return fail(`${label} sent a response that could not be used: ${reason}`, true);
  return fail(`The request to ${label} could not be sent: ${reason}`, false);
}
