/**
 * Pictures from OpenAI, or from whatever speaks its Images protocol, through the AI SDK. One call makes one picture and is
 * never repeated here: a call costs money, and whether to try again is for the queue to say, which reads the class of the
 * error. The SDK brings no time-out, no useful limit on the size of an answer, and errors that carry the prompt and the
 * whole answer with them; this file adds the first two and keeps the last from logs and users. The provider's own words
 * are passed on, cut short and without the key.
 *
 * The packages are loaded at the first call: together they take half a second, which a server that starts should not pay.
 */
import { TransformStream } from 'node:stream/web';
import type { APICallError } from 'ai';
import type * as Undici from 'undici';
import { type ErrorCode, ProviderError } from '../errors.ts';
import { OPENAI_MODELS } from './models.ts';
import type { Answer, Model, PictureRequest, Provider } from './provider.ts';

const NAME = 'openai';
const MiB = 1024 * 1024;

export interface OpenAiOptions {
  readonly apiKey: string;
  /** Such as `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** For a whole call, from connecting to the last byte. Default 180; the best qualities take minutes. */
  readonly timeoutSeconds?: number;
  /** Of the answer as JSON, after decompression; the picture in it is a quarter smaller. Default 100 MiB. */
  readonly maxAnswerBytes?: number;
}

export interface OpenAiProvider extends Provider {
  /** Waits for the calls under way, which their signals can end, and closes the connections. */
  close(): Promise<void>;
}

/**
 * Opens the provider `openai`; nothing is loaded or sent before the first `generate`. It serves the models of OPENAI_MODELS,
 * at api.openai.com without those that are shut down there.
 *
 * A picture's metadata has `requestId` (what OpenAI's support asks for), `usage` in tokens, `warnings` of the SDK, and what
 * the answer says of itself (`created`, `size`, `quality`, `background`, `outputFormat`), each only where it is known.
 *
 * `generate` throws ProviderError: `PROVIDER_BUSY` (429; retryable, with the time to wait where it is given),
 * `PROVIDER_UNAUTHORIZED` (401, 403), `PROVIDER_REFUSED` (moderation), and `PROVIDER_FAILED` for the rest, which is retryable
 * when the fault lies with the network, the time, the server or its answer, or when the caller's signal was aborted, and not
 * when it lies with the request or the account.
 * @see https://developers.openai.com/api/reference/resources/images/methods/generate
 */
export function openOpenAiProvider(options: OpenAiOptions): OpenAiProvider {
  const underWay = new Set<Promise<Answer>>();
  let client: Promise<Client> | null = null;
  let closed: Promise<void> | null = null;

  async function generate(request: PictureRequest, signal: AbortSignal): Promise<Answer> {
    if (closed !== null) {
      const message = 'The server stops and asks OpenAI for nothing more.';
      throw new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { retryable: true });
    }
    client ??= openClient(options);
    const picture = client.then(({ draw }) => draw(request, signal));
    underWay.add(picture);
    return picture.finally(() => underWay.delete(picture));
  }

  async function closeOnce(): Promise<void> {
    await Promise.allSettled(underWay);
    await (await client)?.close();
  }

  return {
    name: NAME,
    models: servedModels(options.baseUrl),
    generate,
    close: () => {
      closed ??= closeOnce();
      return closed;
    },
  };
}

function servedModels(baseUrl: string): readonly Model[] {
  if (new URL(baseUrl).hostname !== 'api.openai.com') return OPENAI_MODELS;
  const today = new Date().toISOString().slice(0, 10);
  return OPENAI_MODELS.filter((model) => model.shutDown === null || model.shutDown > today);
}

interface Client {
  draw(request: PictureRequest, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

async function openClient(options: OpenAiOptions): Promise<Client> {
  const [{ APICallError, generateImage, NoImageGeneratedError }, { createOpenAI }, undici] =
    await Promise.all([import('ai'), import('@ai-sdk/openai'), import('undici')]);
  const { apiKey, baseUrl, timeoutSeconds = 180, maxAnswerBytes = 100 * MiB } = options;
  // The signal bounds the whole call; undici's own limits of five minutes would only cut a longer time-out short.
  const agent = new undici.Agent({ headersTimeout: 0, bodyTimeout: 0 });
  const openai = createOpenAI({
    apiKey,
    baseURL: baseUrl,
    fetch: boundFetch({ ...undici, agent }, maxAnswerBytes),
  });
  const clean = makeCleaner(apiKey);

  async function draw(request: PictureRequest, signal: AbortSignal): Promise<Answer> {
    const timeout = AbortSignal.timeout(Math.ceil(timeoutSeconds * 1000));
    try {
      const result = await generateImage({
        model: openai.image(request.model),
        prompt: request.prompt,
        n: 1,
        size: request.size as `${number}x${number}`,
        providerOptions: {
          openai: {
            ...(request.quality === null ? {} : { quality: request.quality }),
            ...(request.style === null ? {} : { style: request.style }),
            ...(request.user === '' ? {} : { user: request.user }),
          },
        },
        maxRetries: 0,
        abortSignal: AbortSignal.any([signal, timeout]),
      });
      return toPicture(result);
    } catch (error) {
      const cause = summarize(error, clean);
      const fail = (message: string, retryable: boolean): ProviderError =>
        new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { retryable, cause });
      const ours = causes(error).find((e) => e instanceof ProviderError);
      if (ours !== undefined) throw ours;
      if (signal.aborted) throw fail('The request to OpenAI was cancelled.', true);
      if (timeout.aborted) throw fail(`OpenAI did not answer within ${timeoutSeconds} seconds.`, true);
      if (APICallError.isInstance(error)) throw toProviderError(error, clean);
      if (NoImageGeneratedError.isInstance(error)) throw fail('OpenAI answered without a picture.', true);
      throw fail(`The request to OpenAI could not be made: ${clean(String(error))}`, false);
    }
  }

  return { draw, close: () => agent.close() };
}

/** The part of the SDK's result that is read here; what else the answer says comes as it is. */
interface SdkResult {
  readonly image: { readonly base64: string };
  readonly usage: { readonly totalTokens: number | undefined };
  readonly warnings: readonly unknown[];
  readonly responses: readonly { readonly headers?: Readonly<Record<string, string>> }[];
  readonly providerMetadata: Readonly<Record<string, { readonly images?: unknown }>>;
}

function toPicture({ image, usage, warnings, responses, providerMetadata }: SdkResult): Answer {
  const bytes = Buffer.from(image.base64, 'base64');
  if (bytes.length === 0) {
    const message = 'OpenAI answered with an empty picture.';
    throw new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { retryable: true });
  }
  const [said] = (providerMetadata.openai?.images ?? []) as { revisedPrompt?: string }[];
  const { revisedPrompt = null, ...rest } = said ?? {};
  const metadata = {
    requestId: responses[0]?.headers?.['x-request-id'],
    usage: usage.totalTokens === undefined ? undefined : usage,
    warnings: warnings.length === 0 ? undefined : warnings,
    ...rest,
  };
  // The way through JSON drops what is undefined.
  return { picture: { bytes }, revisedPrompt, metadata: JSON.parse(JSON.stringify(metadata)) };
}

/**
 * A fetch that counts what it reads and stops at `maxBytes`. It follows no redirect: an API has no reason to send one, and
 * the prompt is not for whoever stands behind it.
 */
function boundFetch(
  { fetch, Response, agent }: typeof Undici & { agent: Undici.Agent },
  maxBytes: number,
): typeof globalThis.fetch {
  const bounded: typeof fetch = async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual', dispatcher: agent });
    let count = 0;
    const counted = response.body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          count += chunk.byteLength;
          if (count <= maxBytes) return controller.enqueue(chunk);
          // Not to be tried again: the next answer is likely to be as large, and as dear.
          const message = `The answer of OpenAI is larger than the ${maxBytes} bytes that are allowed.`;
          controller.error(new ProviderError('PROVIDER_FAILED', message, { provider: NAME }));
        },
      }),
    );
    const { status, statusText, headers } = response;
    return new Response(counted ?? null, { status, statusText, headers });
  };
  // The types of undici 8 and of the fetch in Node describe the same things and do not know each other.
  return bounded as unknown as typeof globalThis.fetch;
}

const REFUSALS: ReadonlySet<unknown> = new Set(['moderation_blocked', 'content_policy_violation']);
const EXHAUSTIONS: ReadonlySet<unknown> = new Set(['insufficient_quota', 'billing_hard_limit_reached']);

/** The meaning of an answer that is no picture. 408 and 409 are retried by OpenAI's own clients too. */
function judge(
  status: number,
  reasons: readonly unknown[],
): [code: ErrorCode, retryable: boolean, says: string] {
  if (reasons.some((r) => REFUSALS.has(r))) return ['PROVIDER_REFUSED', false, 'OpenAI refused the request'];
  if (reasons.some((r) => EXHAUSTIONS.has(r))) {
    return ['PROVIDER_FAILED', false, 'The OpenAI account is used up'];
  }
  if (status === 429) return ['PROVIDER_BUSY', true, 'OpenAI limits the rate'];
  if (status === 401 || status === 403) {
    return ['PROVIDER_UNAUTHORIZED', false, "OpenAI did not accept this server's key"];
  }
  if (status >= 500 || status === 408 || status === 409) return ['PROVIDER_FAILED', true, 'OpenAI failed'];
  if (status < 300) return ['PROVIDER_FAILED', true, "OpenAI's answer could not be read"];
  return ['PROVIDER_FAILED', false, 'OpenAI did not take the request'];
}

function toProviderError(error: APICallError, clean: Cleaner): ProviderError {
  const cause = summarize(error, clean);
  const { statusCode: status, responseHeaders: headers = {} } = error;
  if (status === undefined) {
    const message = `OpenAI could not be reached: ${clean(deepest(error))}.`;
    return new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { retryable: true, cause });
  }
  const facts = [status, headers['x-request-id']].filter(Boolean).join(', ');
  if (causes(error).some(({ name }) => name === 'AI_TypeValidationError')) {
    // Whatever answers will do so in the same way again, and may be paid for each time.
    const message = `What answers for OpenAI does not answer as its Images API does (${facts}). Is the base URL right?`;
    return new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { cause });
  }
  const { code: reason, type } =
    (error.data as { error?: { code?: unknown; type?: unknown } } | undefined)?.error ?? {};
  const [code, retryable, says] = judge(status, [reason, type]);
  const words = error.message.startsWith('Failed to process') ? deepest(error) : error.message;
  const subject = { provider: NAME, retryAfterSeconds: retryAfterSeconds(headers) };
  return new ProviderError(code, `${says} (${facts}): ${clean(words)}`, subject, { retryable, cause });
}

/** What lay at the bottom. A refused connection to a name with several addresses has no message, but a code. */
function deepest(error: Error): string {
  const faults = causes(error).map((e: Error & { code?: unknown }) => e.message || String(e.code ?? ''));
  return faults.findLast(Boolean) ?? error.name;
}

/**
 * Reads `retry-after-ms`, which OpenAI sends beside the coarser `retry-after`, and that in seconds or as a date.
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
function retryAfterSeconds(headers: Readonly<Record<string, string>>): number | null {
  const { 'retry-after-ms': milliseconds, 'retry-after': after } = headers;
  const waits = [
    milliseconds ? Number(milliseconds) / 1000 : Number.NaN,
    after ? Number(after) : Number.NaN,
    after ? Math.max(0, (Date.parse(after) - Date.now()) / 1000) : Number.NaN,
  ];
  return waits.find((seconds) => Number.isFinite(seconds) && seconds >= 0) ?? null;
}

type Cleaner = (text: string) => string;

/** Makes words of the provider fit for logs and users: on one line, 500 characters at most, and without the key. */
function makeCleaner(apiKey: string): Cleaner {
  return (text) => {
    const known = apiKey === '' ? text : text.replaceAll(apiKey, '[key]');
    // OpenAI quotes a wrong key with its middle masked.
    const line = known
      .replaceAll(/\bsk-[\w*-]{3,}/g, '[key]')
      .replaceAll(/\s+/g, ' ')
      .trim();
    return line.length > 500 ? `${line.slice(0, 500)}…` : line;
  };
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let e = error; e instanceof Error && chain.length < 8; e = e.cause) chain.push(e);
  return chain;
}

/**
 * What may be kept of an error of the SDK: the names, the cleaned messages and the places of it and its causes. The errors
 * themselves hold the prompt and the answer, which may be a hundred megabytes, and would be logged with them.
 */
function summarize(error: unknown, clean: Cleaner): Error | undefined {
  return causes(error).reduceRight<Error | undefined>((cause, { name, message, stack }) => {
    const kept = new Error(clean(message), cause === undefined ? undefined : { cause });
    const places = stack?.slice(-2000).match(/^ {4}at .*$/gm) ?? [];
    kept.name = name;
    kept.stack = [`${name}: ${kept.message}`, ...places].join('\n');
    return kept;
  }, undefined);
}
