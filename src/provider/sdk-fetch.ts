/**
 * The fetch through which the AI SDK speaks, one for each call. The SDK trusts what answers: it has no useful limit on the size of
 * an answer, downloads whatever address a provider names, and polls on through answers that it does not know. So this one counts
 * what it reads, follows no redirect (an API has no reason to send one, and the prompt is not for whoever stands behind it), shows
 * the family each answer before the SDK reads it, and lets no picture through: those in an answer are taken out of it (lift.ts), and those
 * elsewhere are not downloaded, but their address is kept for the guarded fetcher. The SDK is given a placeholder in their place.
 */
import { TransformStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Undici from 'undici';
import { ProviderError } from '../errors.ts';
import { type LiftedAnswer, liftPictures } from './sample/lift.ts';

/** What is known of a call while it runs; the family's `look` adds to it. */
export interface Call {
  /** When the request for a picture left, by `performance.now()`: from here on it may be paid for. */
  sentAt: number | null;
  /** The provider took it. */
  accepted: boolean;
  /** Its answer broke off. */
  broken: boolean;
  /** What the provider's support asks for. */
  requestId: string | undefined;
  /** Where the provider is asked whether it is done; any other GET would be for the picture. */
  askAgainAt: string | null;
  /** Where the picture lies. */
  address: string | null;
  /** What was taken out of the answer. */
  pictures: LiftedAnswer['pictures'];
  revisedPrompt: string | null;
  /** What it says in place of a picture. */
  words: string | null;
  /** What the SDK drops and we keep, for the metadata. */
  readonly notes: Record<string, unknown>;
}

/**
 * Reads an answer of the API before the SDK does, and gives back what the SDK shall read. It takes what it knows into the call.
 * @throws ProviderError for an answer that says that there will be no picture.
 */
export type Look = (text: string, call: Call) => string;

export interface FetchDeps {
  readonly undici: typeof Undici;
  readonly agent: Undici.Agent;
  readonly provider: string;
  readonly label: string;
  readonly maxBytes: number;
  readonly look: Look | undefined;
}

/** A PNG of one pixel: it stands where the SDK wants to see the picture that lies elsewhere. */
export const PLACEHOLDER =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
export const PLACEHOLDER_URL = `data:image/png;base64,${PLACEHOLDER}`;

/** How soon a question after a picture that is under way is repeated when it gets no answer: each time later, up to a bound. */
const FIRST_REPEAT_MILLISECONDS = 500;
const LAST_REPEAT_MILLISECONDS = 5000;

const REQUEST_ID_HEADERS = ['x-request-id', 'apim-request-id', 'x-fal-request-id'];

export function makeCall(): Call {
  return {
    sentAt: null,
    accepted: false,
    broken: false,
    requestId: undefined,
    askAgainAt: null,
    address: null,
    pictures: new Map(),
    revisedPrompt: null,
    words: null,
    notes: {},
  };
}

export function makeFetch(deps: FetchDeps, call: Call): typeof globalThis.fetch {
  const { undici, agent } = deps;

  async function fetch(address: string, init: RequestInit = {}): Promise<Undici.Response> {
    const body = init.body instanceof FormData ? foreignForm(undici, init.body) : init.body;
    const request = { ...init, body, redirect: 'manual', dispatcher: agent } as Undici.RequestInit;
    if (init.method === 'POST') {
      if (!init.signal?.aborted) call.sentAt = performance.now();
      const response = await undici.fetch(address, request);
      call.accepted = response.ok;
      call.requestId =
        REQUEST_ID_HEADERS.map((name) => response.headers.get(name)).find(Boolean) ?? undefined;
      return show(response);
    }
    if (address.startsWith('data:')) return bound(await undici.fetch(address, request), deps);
    if (call.askAgainAt !== null && address.startsWith(call.askAgainAt)) {
      return show(await askAgain(() => undici.fetch(address, request), init.signal));
    }
    call.address = address;
    return new undici.Response(Buffer.from(PLACEHOLDER, 'base64'), {
      headers: { 'content-type': 'image/png' },
    });
  }

  async function show(response: Undici.Response): Promise<Undici.Response> {
    if (!response.ok) return bound(response, deps);
    const { status, statusText, headers } = response;
    const body = await readBody(response, deps).catch((error: unknown) => {
      call.broken = true;
      throw error;
    });
    const { text, pictures } = liftPictures(body);
    call.pictures = pictures;
    return new undici.Response(deps.look?.(text, call) ?? text, { status, statusText, headers });
  }

  // The types of undici 8 and of the fetch in Node describe the same things and do not know each other.
  return ((input: unknown, init: RequestInit) =>
    fetch(String(input), init)) as unknown as typeof globalThis.fetch;
}

/**
 * To ask costs nothing, and what is asked for may be paid for already; so a task is not given up for answers that say nothing of it, until the
 * call's own time is over.
 */
async function askAgain(
  ask: () => Promise<Undici.Response>,
  signal: AbortSignal | null | undefined,
): Promise<Undici.Response> {
  for (let asked = 1; ; asked++) {
    try {
      const response = await ask();
      if (response.status < 500 && response.status !== 429) return response;
      await response.body?.cancel();
    } catch (error) {
      if (!signal || signal.aborted) throw error;
    }
    const wait = Math.min(FIRST_REPEAT_MILLISECONDS * asked, LAST_REPEAT_MILLISECONDS);
    await sleep(wait, undefined, signal ? { signal } : {});
  }
}

async function readBody(response: Undici.Response, deps: FetchDeps): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let count = 0;
  // To leave the loop cancels the rest.
  for await (const chunk of response.body ?? []) {
    count += chunk.byteLength;
    if (count > deps.maxBytes) throw tooLarge(deps);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, count);
}

/** The same as a stream, for what the SDK reads by itself. */
function bound(response: Undici.Response, deps: FetchDeps): Undici.Response {
  let count = 0;
  const counted = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        count += chunk.byteLength;
        if (count <= deps.maxBytes) controller.enqueue(chunk);
        else controller.error(tooLarge(deps));
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new deps.undici.Response(counted ?? null, { status, statusText, headers });
}

/** Not to be tried again: the next answer is likely to be as large, and as dear. */
function tooLarge({ maxBytes, label, provider }: FetchDeps): ProviderError {
  const message = `The answer of ${label} is larger than the ${maxBytes} bytes that are allowed.`;
  return new ProviderError('PROVIDER_FAILED', message, { provider, paid: true });
}

/** undici writes the forms of its own class only. */
function foreignForm(undici: typeof Undici, form: FormData): Undici.FormData {
  const copy = new undici.FormData();
  for (const [name, value] of form) copy.append(name, value as never);
  return copy;
}

/** The JSON object that an answer is, or null: what is no JSON is for the SDK to find fault with. */
export function readObject(text: string): Record<string, unknown> | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

export function isAddress(value: unknown): value is string {
  return typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value);
}
