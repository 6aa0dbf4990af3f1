/**
 * What went wrong in a call, in our own terms. The providers' ways of saying so differ in words and not in kind: every one
 * answers with a status, most with a reason as a word for machines, and some only with a sentence. The provider's own words are passed on, cut
 * short and without the key; the SDK's errors are not, for they hold the prompt and the whole answer.
 */
import type { APICallError } from 'ai';
import { type ErrorCode, ProviderError } from '../errors.ts';
import { asObject, type Call, readObject } from './sdk-fetch.ts';

export interface Subject {
  /** The provider, as in `Provider.name`. */
  readonly name: string;
  /** As people call it. */
  readonly label: string;
}

/** Words for machines by which providers say that they decline, in any of the places where they put them. */
const REFUSALS: ReadonlySet<string> = new Set([
  'moderation_blocked',
  'content_policy_violation',
  'content_filter',
  'contentFilter',
  'ResponsibleAIPolicyViolation',
]);
/** And sentences, of those that have no such word. */
const REFUSAL_WORDS =
  /content.moderation|content.policy|violates .{0,40}(guidelines|polic)|safety (system|filter|checker)|\bnsfw\b|flagged as sensitive|\(E005\)/i;
const EXHAUSTIONS: ReadonlySet<string> = new Set(['insufficient_quota', 'billing_hard_limit_reached']);
/** Google and xAI answer 400 to a wrong key. */
const KEY_FAULTS: ReadonlySet<string> = new Set(['API_KEY_INVALID', 'invalid_api_key']);
const KEY_FAULT_WORDS = /\b(incorrect|invalid) api key\b|\bapi key not valid\b/i;

type Verdict = [code: ErrorCode, retryable: boolean, says: string];

/** The meaning of an answer that is no picture. 408 and 409 are retried by OpenAI's own clients too. */
function judge(label: string, status: number, reasons: readonly string[], words: string): Verdict {
  const faulty = [400, 403, 422].includes(status);
  if (reasons.some((r) => REFUSALS.has(r)) || (faulty && REFUSAL_WORDS.test(words))) {
    return ['PROVIDER_REFUSED', false, `${label} refused the request`];
  }
  if (status === 402 || reasons.some((r) => EXHAUSTIONS.has(r))) {
    return ['PROVIDER_FAILED', false, `The ${label} account is used up`];
  }
  if (status === 429) return ['PROVIDER_BUSY', true, `${label} limits the rate`];
  const keyless = faulty && (reasons.some((r) => KEY_FAULTS.has(r)) || KEY_FAULT_WORDS.test(words));
  if (status === 401 || status === 403 || keyless) {
    return ['PROVIDER_UNAUTHORIZED', false, `${label} did not accept this server's key`];
  }
  if (status >= 500 || status === 408 || status === 409) return ['PROVIDER_FAILED', true, `${label} failed`];
  if (status < 300) return ['PROVIDER_FAILED', true, `${label}'s answer could not be read`];
  return ['PROVIDER_FAILED', false, `${label} did not take the request`];
}

/** Whether a sentence in which a provider says that a picture failed is about what the picture shows. */
export function isRefusal(words: string): boolean {
  return REFUSAL_WORDS.test(words);
}

export function refused({ name, label }: Subject, words: string, paid = false): ProviderError {
  return new ProviderError('PROVIDER_REFUSED', `${label} refused the request: ${words}`, {
    provider: name,
    paid,
  });
}

export function toProviderError(
  { name, label }: Subject,
  error: APICallError,
  { call, clean }: { call: Call; clean: Cleaner },
): ProviderError {
  const cause = summarize(error, clean);
  const { statusCode: status, responseHeaders: headers = {} } = error;
  if (status === undefined && call.broken) {
    const facts = [200, call.requestId].filter(Boolean).join(', ');
    const message = `${label}'s answer could not be read (${facts}): ${clean(deepest(error))}`;
    return new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: name, paid: true },
      { retryable: true, cause },
    );
  }
  if (status === undefined) {
    const message = `${label} could not be reached: ${clean(deepest(error))}.`;
    const subject = { provider: name, paid: call.accepted || brokeOffAtWork(error, call) };
    return new ProviderError('PROVIDER_FAILED', message, subject, { retryable: true, cause });
  }
  const facts = [status, call.requestId].filter(Boolean).join(', ');
  const paid = call.accepted || status < 300 || gaveUpAtWork(status, call);
  if (causes(error).some((e) => e.name === 'AI_TypeValidationError')) {
    // Whatever answers will do so in the same way again.
    const message = `What answers for ${label} does not answer as its API does (${facts}). Is the base URL right?`;
    return new ProviderError('PROVIDER_FAILED', message, { provider: name, paid }, { cause });
  }
  const body = readObject(error.responseBody ?? '');
  const words = error.message.startsWith('Failed to process') ? deepest(error) : error.message;
  const said = saidIn(body);
  const [code, retryable, says] = judge(label, status, said.reasons, words);
  const subject = { provider: name, retryAfterSeconds: retryAfterSeconds(headers) ?? said.retryAfter, paid };
  return new ProviderError(code, `${says} (${facts}): ${clean(words)}`, subject, { retryable, cause });
}

/** With these there never was a connection. */
const UNCONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const WORKING_SECONDS = 3;

/**
 * A connection that breaks at once had gone stale, or met a server that was about to stop, and nothing was begun. One that breaks after it has
 * been silent for a while has most likely been cut by something in between, while the provider worked.
 */
function brokeOffAtWork(error: Error, { sentAt }: Call): boolean {
  const unconnected = causes(error).some((e: Error & { code?: unknown }) => UNCONNECTED.has(e.code));
  return sentAt !== null && !unconnected && performance.now() - sentAt > WORKING_SECONDS * 1000;
}

/** What stands before a provider says by these that it waited long enough, and not that the provider does not work. */
const GATEWAY_TIMEOUTS: ReadonlySet<number> = new Set([408, 504, 522, 524]);

function gaveUpAtWork(status: number, { sentAt }: Call): boolean {
  return (
    GATEWAY_TIMEOUTS.has(status) && sentAt !== null && performance.now() - sentAt > WORKING_SECONDS * 1000
  );
}

/**
 * What an error says to machines: OpenAI, Azure and xAI in `error.code`, `error.type` and `error.inner_error.code`, Google in
 * `error.status` and `error.details[]`, fal in `detail[].type`, xAI also in `code`.
 */
function saidIn(body: Record<string, unknown> | null): { reasons: string[]; retryAfter: number | null } {
  const error = asObject(body?.error);
  const inner = asObject(error?.inner_error) ?? asObject(error?.innererror);
  const details = [error?.details, body?.detail]
    .flatMap((each) => (Array.isArray(each) ? each : []))
    .map(asObject);
  const reasons = [
    body?.code,
    error?.code,
    error?.type,
    error?.status,
    inner?.code,
    ...details.flatMap((detail) => [detail?.type, detail?.reason]),
  ];
  // google.rpc.RetryInfo
  const delay = details
    .map((detail) => /^(\d+(?:\.\d+)?)s$/.exec(String(detail?.retryDelay))?.[1])
    .find(Boolean);
  return {
    reasons: reasons.filter((reason) => typeof reason === 'string'),
    retryAfter: delay === undefined ? null : Number(delay),
  };
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

export type Cleaner = (text: string) => string;

/** Makes words of the provider fit for logs and users: on one line, 500 characters at most, and without the key. */
export function makeCleaner(apiKey: string | null): Cleaner {
  // The keys of fal are a name and a secret.
  const secrets = [apiKey ?? '', ...(apiKey ?? '').split(':')].filter(
    (part) => part.length >= 6 || part === apiKey,
  );
  return (text) => {
    const known = secrets.reduce((line, secret) => (secret ? line.replaceAll(secret, '[key]') : line), text);
    // OpenAI and xAI quote a wrong key with its middle masked. The text may be as long as an answer.
    const line = known
      .slice(0, 5000)
      .replaceAll(/\b(sk-|xai-|r8_|AIza)[\w*-]{3,}/g, '[key]')
      .replaceAll(/[\w-]{0,32}\*{3,}[\w*-]{0,200}/g, '[key]')
      .replaceAll(/\s+/g, ' ')
      .trim();
    return line.length > 500 ? `${line.slice(0, 500)}…` : line;
  };
}

export function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let e = error; e instanceof Error && chain.length < 8; e = e.cause) chain.push(e);
  return chain;
}

/**
 * What may be kept of an error of the SDK: the names, the cleaned messages and the places of it and its causes. The errors
 * themselves hold the prompt and the answer, which may be a hundred megabytes, and would be logged with them.
 */
export function summarize(error: unknown, clean: Cleaner): Error | undefined {
  return causes(error).reduceRight<Error | undefined>((cause, { name, message, stack }) => {
    const kept = new Error(clean(message), cause === undefined ? undefined : { cause });
    const places = stack?.slice(-2000).match(/^ {4}at .*$/gm) ?? [];
    kept.name = name;
    kept.stack = [`${name}: ${kept.message}`, ...places].join('\n');
    return kept;
  }, undefined);
}
