/**
 * The fetch that the AI SDK uses, one for each call. The SDK trusts every server: it does not limit the size
 * of a response, downloads any URL that a provider names, and polls on after statuses that it does not know.
 * This fetch therefore
 *
 * - counts and limits the bytes that it reads
 * - follows no redirect: no API needs one, and the prompt must not reach another host
 * - shows each response to the provider's adapter before the SDK reads it
 * - keeps pictures away from the SDK: those in a response are taken out (lift-pictures.ts), and those at a
 *   URL are not downloaded; `fetch/` fetches the URL later. The SDK gets a placeholder.
 */
import { TransformStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Undici from 'undici';
import { ProviderError } from '../errors.ts';
import { type LiftedResponse, liftPictures } from './lift-pictures.ts';

/** State of a running call. The adapter's `readResponse` adds to it. */
export interface SdkCall {
  /**
   * Time at which the request for a picture was sent, by `performance.now()`. From then on it may cost money.
   */
  sentAt: number | null;
  /** Whether the provider accepted the request (a status of 2xx). */
  accepted: boolean;
  /** Whether the connection broke within the response. */
  broken: boolean;
  /** Id of the request, which the provider's support asks for. */
  requestId: string | undefined;
  /** URL to poll for the result. Every other GET would download the picture. */
  pollUrl: string | null;
  /** URL of the picture; null: the picture is in the response. */
  pictureUrl: string | null;
  /** Pictures that were taken out of the response. */
  pictures: LiftedResponse['pictures'];
  revisedPrompt: string | null;
  /** Text that the provider sent instead of a picture. */
  textInstead: string | null;
  /** Metadata of the picture that the SDK drops. */
  readonly extraMetadata: Record<string, unknown>;
}

/**
 * Reads a response of the API before the SDK does. It notes in `call` what it finds.
 * @returns the text that the SDK is to read instead
 * @throws ProviderError when the response says that no picture will come
 */
export type ReadResponse = (text: string, call: SdkCall) => string;

export interface FetchDeps {
  readonly undici: typeof Undici;
  readonly agent: Undici.Agent;
  readonly provider: string;
  readonly label: string;
  /** Most bytes of one response, after decompression. */
  readonly maxBytes: number;
  readonly readResponse: ReadResponse | undefined;
}

/** A PNG of one pixel. The SDK gets it in place of a picture that is at a URL. */
export const PLACEHOLDER_BASE64 =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
export const PLACEHOLDER_URL = `data:image/png;base64,${PLACEHOLDER_BASE64}`;

/** Wait before a failed poll is repeated. It grows by this much each time, up to the maximum. */
const POLL_RETRY_STEP_MS = 500;
const MAX_POLL_RETRY_MS = 5000;

const REQUEST_ID_HEADERS = ['x-request-id', 'apim-request-id', 'x-fal-request-id'];

export function makeSdkCall(): SdkCall {
  return {
    sentAt: null,
    accepted: false,
    broken: false,
    requestId: undefined,
    pollUrl: null,
    pictureUrl: null,
    pictures: new Map(),
    revisedPrompt: null,
    textInstead: null,
    extraMetadata: {},
  };
}

/** Makes the fetch of one call. */
export function makeSdkFetch(deps: FetchDeps, call: SdkCall): typeof globalThis.fetch {
  const { undici, agent } = deps;

  async function fetch(url: string, init: RequestInit = {}): Promise<Undici.Response> {
    const body = init.body instanceof FormData ? copyForm(undici, init.body) : init.body;
    const request = { ...init, body, redirect: 'manual', dispatcher: agent } as Undici.RequestInit;
    if (init.method === 'POST') {
      if (!init.signal?.aborted) call.sentAt = performance.now();
      const response = await undici.fetch(url, request);
      call.accepted = response.ok;
      call.requestId =
        REQUEST_ID_HEADERS.map((name) => response.headers.get(name)).find(Boolean) ?? undefined;
      return toSdkResponse(response, deps, call);
    }
    if (url.startsWith('data:')) return limitBody(await undici.fetch(url, request), deps);
    if (call.pollUrl !== null && url.startsWith(call.pollUrl)) {
      return toSdkResponse(await poll(() => undici.fetch(url, request), init.signal), deps, call);
    }
    call.pictureUrl = url;
    return new undici.Response(Buffer.from(PLACEHOLDER_BASE64, 'base64'), {
      headers: { 'content-type': 'image/png' },
    });
  }

  // The types of undici and of Node's fetch describe equal objects, but TypeScript does not know that.
  return ((input: unknown, init: RequestInit) =>
    fetch(String(input), init)) as unknown as typeof globalThis.fetch;
}

/**
 * Takes the pictures out of a response and lets the adapter read the rest. The SDK's own code reads error
 * responses.
 */
async function toSdkResponse(
  response: Undici.Response,
  deps: FetchDeps,
  call: SdkCall,
): Promise<Undici.Response> {
  if (!response.ok) return limitBody(response, deps);
  const { status, statusText, headers } = response;
  const body = await readBody(response, deps).catch((error: unknown) => {
    call.broken = true;
    throw error;
  });
  const { text, pictures } = liftPictures(body);
  call.pictures = pictures;
  const shown = deps.readResponse?.(text, call) ?? text;
  return new deps.undici.Response(shown, { status, statusText, headers });
}

/**
 * Polls once, and repeats polls that fail until the call times out. Polling costs nothing, but the task may
 * already be paid for, so no failed poll may lose it.
 */
async function poll(
  send: () => Promise<Undici.Response>,
  signal: AbortSignal | null | undefined,
): Promise<Undici.Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await send();
      if (response.status < 500 && response.status !== 429) return response;
      await response.body?.cancel();
    } catch (error) {
      if (!signal || signal.aborted) throw error;
    }
    const wait = Math.min(POLL_RETRY_STEP_MS * attempt, MAX_POLL_RETRY_MS);
    await sleep(wait, undefined, signal ? { signal } : {});
  }
}

async function readBody(response: Undici.Response, deps: FetchDeps): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let count = 0;
  // Leaving the loop cancels the rest of the body.
  for await (const chunk of response.body ?? []) {
    count += chunk.byteLength;
    if (count > deps.maxBytes) throw responseTooLarge(deps);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, count);
}

/** Limits the bytes of a response that the SDK reads as a stream. */
function limitBody(response: Undici.Response, deps: FetchDeps): Undici.Response {
  let count = 0;
  const counted = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        count += chunk.byteLength;
        if (count <= deps.maxBytes) controller.enqueue(chunk);
        else controller.error(responseTooLarge(deps));
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new deps.undici.Response(counted ?? null, { status, statusText, headers });
}

/** Not retryable: the next response would probably be as large, and cost as much. */
function responseTooLarge({ maxBytes, label, provider }: FetchDeps): ProviderError {
  const message = `The response from ${label} is larger than the limit of ${maxBytes} bytes.`;
  return new ProviderError('PROVIDER_FAILED', message, { provider, paid: true });
}

/** Copies a form into undici's own class, because undici does not send forms of Node's class. */
function copyForm(undici: typeof Undici, form: FormData): Undici.FormData {
  const copy = new undici.FormData();
  for (const [name, value] of form) copy.append(name, value as never);
  return copy;
}

/** Parses a JSON object; null for any other text. The SDK reports what is wrong with it. */
export function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Returns the value when it is an object and not an array; otherwise null. */
export function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

export function isHttpUrl(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value);
}
