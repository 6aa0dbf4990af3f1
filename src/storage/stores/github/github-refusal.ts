/** Failed requests to GitHub, and what they mean. */

export interface GithubAnswer<Data> {
  readonly status: number;
  readonly headers: { readonly etag?: string; readonly [header: string]: string | number | undefined };
  readonly data: Data;
}

/** A failed request to GitHub. */
export class GithubRefusal extends Error {
  /** HTTP status; 0: no response. */
  readonly status: number;
  /** Message of GitHub's response; empty without one. */
  readonly said: string;
  /** Whether it may succeed later. */
  readonly retryable: boolean;
  /** End of the rate limit, in milliseconds since 1970; null: not limited. */
  readonly limitedUntil: number | null;
  /** Whether the client retries at once. Not after a timeout, because the caller has waited long enough. */
  readonly retriesAtOnce: boolean;

  constructor(
    message: string,
    facts: Partial<
      Pick<GithubRefusal, 'status' | 'said' | 'retryable' | 'limitedUntil' | 'retriesAtOnce' | 'cause'>
    > = {},
  ) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined);
    this.status = facts.status ?? 0;
    this.said = facts.said ?? '';
    this.retryable = facts.retryable ?? false;
    this.limitedUntil = facts.limitedUntil ?? null;
    this.retriesAtOnce = facts.retriesAtOnce ?? this.retryable;
  }
}

/** Makes a GithubRefusal of the error of a request: from GitHub's response, or from the network error. */
export function refusalOf(
  error: unknown,
  { clean, timeoutSeconds }: { clean(text: string): string; timeoutSeconds: number },
): GithubRefusal {
  if (error instanceof GithubRefusal) return error;
  const { response } = error as { response?: GithubAnswer<unknown> };
  if (!response) return networkRefusal(error, { clean, timeoutSeconds });
  const { status, data } = response;
  const said = clean(messageOf(data)).slice(0, 300);
  const facts = { status, said };
  const summary = `${status}${said && ` ${said.replace(/\.$/, '')}`}`;
  const limitedUntil = limitOf(response, said);
  if (limitedUntil !== null) {
    const until = new Date(limitedUntil).toISOString().replace(/\.\d+/, '');
    const message = `GitHub limits the rate until ${until} (${summary})`;
    return new GithubRefusal(message, { ...facts, retryable: true, limitedUntil });
  }
  if (status === 401) return new GithubRefusal(`GitHub does not accept the token (${summary})`, facts);
  if (status === 403) return new GithubRefusal(`the token may not do this (${summary})`, facts);
  if (status === 404)
    return new GithubRefusal(`the repository is not there, or the token may not use it (${summary})`, facts);
  return new GithubRefusal(`GitHub answered ${summary}`, {
    ...facts,
    retryable: status >= 500 || status === 408,
  });
}

function networkRefusal(
  error: unknown,
  { clean, timeoutSeconds }: { clean(text: string): string; timeoutSeconds: number },
): GithubRefusal {
  const chain = causesOf(error);
  const last = chain.at(-1);
  if (chain.some((each) => /TIMEOUT|ETIMEDOUT/.test(`${(each as NodeJS.ErrnoException).code}`))) {
    const message = `GitHub was silent for ${timeoutSeconds} seconds`;
    return new GithubRefusal(message, { retryable: true, retriesAtOnce: false, cause: last });
  }
  const reason = clean(last?.message || (last as NodeJS.ErrnoException)?.code || String(error));
  return new GithubRefusal(`GitHub could not be asked: ${reason}`, { retryable: true, cause: last });
}

/**
 * Returns until when a response limits the rate, in milliseconds since 1970; null if it is not about the
 * rate.
 */
function limitOf({ status, headers }: GithubAnswer<unknown>, said: string): number | null {
  if (status !== 403 && status !== 429) return null;
  const [after, reset] = [Number(headers['retry-after']), Number(headers['x-ratelimit-reset'])];
  if (after >= 0) return Date.now() + after * 1000;
  // A reset in the past means that the clocks differ.
  if (`${headers['x-ratelimit-remaining']}` === '0' && reset > 0)
    return Math.max(reset * 1000, Date.now() + 1000);
  // Without a time, GitHub advises to wait at least a minute.
  return status === 429 || /rate limit|abuse/i.test(said) ? Date.now() + 60_000 : null;
}

/** Returns the message and the errors of a response body as one text. */
function messageOf(data: unknown): string {
  if (typeof data === 'string') return '';
  const { message, errors } = (data ?? {}) as { message?: unknown; errors?: unknown };
  return [message, Array.isArray(errors) ? JSON.stringify(errors) : null].filter(Boolean).join(' ');
}

/** Returns whether GitHub refused because the repository has no commit. */
export function saysEmpty(refusal: GithubRefusal): boolean {
  return refusal.status === 409 && /empty/i.test(refusal.said);
}

/** Returns the error and its causes, at most 8. */
function causesOf(error: unknown): Error[] {
  const found: Error[] = [];
  for (let each = error; each instanceof Error && found.length < 8; each = each.cause) found.push(each);
  return found;
}

/**
 * Returns a back-off with full jitter: a random time below a limit that doubles with each attempt, in
 * milliseconds.
 */
export function jitter(attempt: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, 200 * 2 ** attempt);
}
