/**
 * Translates errors of the AI SDK into ProviderError. All providers send a status; most add a
 * machine-readable code, and some only a sentence.
 *
 * The provider's own message is passed on, shortened and without the API key. The SDK's errors are not,
 * because they hold the prompt and the whole response.
 */
import type { APICallError } from 'ai';
import { type ErrorCode, ProviderError } from '../errors.ts';
import { asObject, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

export interface ProviderNames {
  /** Name of the provider, as in `Provider.name`. */
  readonly name: string;
  /** Name of the provider in messages. */
  readonly label: string;
}

/** Codes with which providers refuse a request because of its content. */
const REFUSAL_CODES: ReadonlySet<string> = new Set([
  'moderation_blocked',
  'content_policy_violation',
  'content_filter',
  'contentFilter',
  'ResponsibleAIPolicyViolation',
]);
/** Sentences of providers that have no such code. */
const REFUSAL_TEXT =
  /content.moderation|content.policy|violates .{0,40}(guidelines|polic)|safety (system|filter|checker)|\bnsfw\b|flagged as sensitive|\(E005\)/i;
const NO_CREDIT_CODES: ReadonlySet<string> = new Set(['insufficient_quota', 'billing_hard_limit_reached']);
/** Google and xAI send 400 for a wrong key. */
const WRONG_KEY_CODES: ReadonlySet<string> = new Set(['API_KEY_INVALID', 'invalid_api_key']);
const WRONG_KEY_TEXT = /\b(incorrect|invalid) api key\b|\bapi key not valid\b/i;

interface Verdict {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** Beginning of the error message, without a full stop. */
  readonly summary: string;
}

/** Decides what a response without a picture means. 408 and 409 are retryable, as in OpenAI's own clients. */
function judge(label: string, status: number, codes: readonly string[], text: string): Verdict {
  const isRejection = [400, 403, 422].includes(status);
  if (codes.some((code) => REFUSAL_CODES.has(code)) || (isRejection && REFUSAL_TEXT.test(text))) {
    return { code: 'PROVIDER_REFUSED', retryable: false, summary: `${label} refused the request` };
  }
  if (status === 402 || codes.some((code) => NO_CREDIT_CODES.has(code))) {
    return { code: 'PROVIDER_FAILED', retryable: false, summary: `The ${label} account has no credit left` };
  }
  if (status === 429) {
    return { code: 'PROVIDER_BUSY', retryable: true, summary: `${label}'s rate limit is reached` };
  }
  const isWrongKey = codes.some((code) => WRONG_KEY_CODES.has(code)) || WRONG_KEY_TEXT.test(text);
  if (status === 401 || status === 403 || (isRejection && isWrongKey)) {
    const summary = `${label} did not accept this server's API key`;
    return { code: 'PROVIDER_UNAUTHORIZED', retryable: false, summary };
  }
  if (status >= 500 || status === 408 || status === 409) {
    return { code: 'PROVIDER_FAILED', retryable: true, summary: `${label} failed` };
  }
  if (status < 300) return { code: 'PROVIDER_FAILED', retryable: true, summary: unreadable(label) };
  return { code: 'PROVIDER_FAILED', retryable: false, summary: `${label} rejected the request as invalid` };
}

const unreadable = (label: string) => `The response from ${label} could not be read`;

/** Whether a message of a provider about a failed picture is about the picture's content. */
export function isRefusal(message: string): boolean {
  return REFUSAL_TEXT.test(message);
}

export function providerRefusal({ name, label }: ProviderNames, reason: string, paid = false): ProviderError {
  return new ProviderError('PROVIDER_REFUSED', `${label} refused the request: ${reason}`, {
    provider: name,
    paid,
  });
}

/** Translates an error of the SDK about one HTTP request. */
export function apiErrorToProviderError(
  { name, label }: ProviderNames,
  error: APICallError,
  { call, redact }: { call: SdkCall; redact: Redactor },
): ProviderError {
  const cause = summarizeError(error, redact);
  const { statusCode: status, responseHeaders: headers = {} } = error;
  if (status === undefined && call.broken) {
    const facts = [200, call.requestId].filter(Boolean).join(', ');
    const message = `${unreadable(label)} (${facts}): ${redact(deepestMessage(error))}`;
    return new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: name, paid: true },
      { retryable: true, cause },
    );
  }
  if (status === undefined) {
    const message = `${label} could not be reached: ${redact(deepestMessage(error))}.`;
    const subject = { provider: name, paid: call.accepted || brokeOffLate(error, call) };
    return new ProviderError('PROVIDER_FAILED', message, subject, { retryable: true, cause });
  }
  const facts = [status, call.requestId].filter(Boolean).join(', ');
  const paid = call.accepted || status < 300 || timedOutAtGateway(status, call);
  if (causeChain(error).some((each) => each.name === 'AI_TypeValidationError')) {
    // Not retryable: the same server would send the same shape again.
    const message = `The response from ${label} does not have the shape of its API (${facts}). Check the base URL.`;
    return new ProviderError('PROVIDER_FAILED', message, { provider: name, paid }, { cause });
  }
  const body = parseJsonObject(error.responseBody ?? '');
  const text = error.message.startsWith('Failed to process') ? deepestMessage(error) : error.message;
  const { codes, retryAfter } = readErrorBody(body);
  const { code, retryable, summary } = judge(label, status, codes, text);
  const subject = { provider: name, retryAfterSeconds: retryAfterSeconds(headers) ?? retryAfter, paid };
  return new ProviderError(code, `${summary} (${facts}): ${redact(text)}`, subject, { retryable, cause });
}

/** Codes of errors before a connection existed. */
const NOT_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** Seconds after which a provider is assumed to have started its work. */
const STARTED_AFTER_SECONDS = 3;

const hasStarted = ({ sentAt }: SdkCall) =>
  sentAt !== null && performance.now() - sentAt > STARTED_AFTER_SECONDS * 1000;

/**
 * Whether the connection broke while the provider was probably working. A connection that breaks at once was
 * stale, or its server was about to stop: nothing was started. One that breaks after a silence was probably
 * cut by a proxy.
 */
function brokeOffLate(error: Error, call: SdkCall): boolean {
  const isNotConnected = causeChain(error).some((each: Error & { code?: unknown }) =>
    NOT_CONNECTED.has(each.code),
  );
  return !isNotConnected && hasStarted(call);
}

/** Statuses with which a gateway says that it waited too long. The provider behind it may still work. */
const GATEWAY_TIMEOUTS: ReadonlySet<number> = new Set([408, 504, 522, 524]);

function timedOutAtGateway(status: number, call: SdkCall): boolean {
  return GATEWAY_TIMEOUTS.has(status) && hasStarted(call);
}

/**
 * Reads the machine-readable part of an error response. The codes are in:
 * - OpenAI, Azure, xAI: `error.code`, `error.type`, `error.inner_error.code`; xAI also `code`
 * - Google: `error.status`, `error.details[]`
 * - fal: `detail[].type`
 */
function readErrorBody(body: Record<string, unknown> | null): { codes: string[]; retryAfter: number | null } {
  const error = asObject(body?.error);
  const inner = asObject(error?.inner_error) ?? asObject(error?.innererror);
  const details = [error?.details, body?.detail]
    .flatMap((each) => (Array.isArray(each) ? each : []))
    .map(asObject);
  const codes = [
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
    codes: codes.filter((code) => typeof code === 'string'),
    retryAfter: delay === undefined ? null : Number(delay),
  };
}

/**
 * Returns the message of the innermost cause. A refused connection to a host with several addresses has only
 * a code.
 */
function deepestMessage(error: Error): string {
  const messages = causeChain(error).map(
    (each: Error & { code?: unknown }) => each.message || String(each.code ?? ''),
  );
  return messages.findLast(Boolean) ?? error.name;
}

/**
 * Reads `retry-after-ms`, which OpenAI sends beside the coarser `retry-after`; otherwise `retry-after` in
 * seconds or as a date.
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

export type Redactor = (text: string) => string;

/**
 * Makes a function that fits a provider's text for logs and users: without the key, on one line, at most 500
 * characters.
 */
export function makeRedactor(apiKey: string | null): Redactor {
  // A key of fal is a name and a secret, joined by a colon.
  const secrets = [apiKey ?? '', ...(apiKey ?? '').split(':')].filter(
    (part) => part.length >= 6 || part === apiKey,
  );
  return (text) => {
    const keyless = secrets.reduce(
      (line, secret) => (secret ? line.replaceAll(secret, '[key]') : line),
      text,
    );
    // The text may be as long as a response. OpenAI and xAI quote a wrong key with its middle masked.
    const line = keyless
      .slice(0, 5000)
      .replaceAll(/\b(sk-|xai-|r8_|AIza)[\w*-]{3,}/g, '[key]')
      .replaceAll(/[\w-]{0,32}\*{3,}[\w*-]{0,200}/g, '[key]')
      .replaceAll(/\s+/g, ' ')
      .trim();
    return line.length > 500 ? `${line.slice(0, 500)}…` : line;
  };
}

/** Returns the error and its causes, outermost first; at most eight. */
export function causeChain(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && chain.length < 8; each = each.cause) chain.push(each);
  return chain;
}

/**
 * Copies the names, redacted messages and stack frames of an error and its causes. The originals must not be
 * kept: they hold the prompt and the response, up to a hundred megabytes, and would be logged with them.
 */
export function summarizeError(error: unknown, redact: Redactor): Error | undefined {
  return causeChain(error).reduceRight<Error | undefined>((cause, { name, message, stack }) => {
    const copy = new Error(redact(message), cause === undefined ? undefined : { cause });
    const frames = stack?.slice(-2000).match(/^ {4}at .*$/gm) ?? [];
    copy.name = name;
    copy.stack = [`${name}: ${copy.message}`, ...frames].join('\n');
    return copy;
  }, undefined);
}
