/**
 * All failures that Fixative reports. Programs read `code` and `retryable`; people read `message`, which
 * names the subject and what to do; `cause` is the underlying error. Any other error is a defect: clients get
 * `INTERNAL` and an id, and the log has the details.
 */

/**
 * Descriptions by code, which the GraphQL enum `ErrorCode` shows. Codes may be added and are never removed.
 */
export const ERROR_CODES = {
  INVALID_INPUT: 'A value of the input is not allowed. The message says which values are.',
  INVALID_ID: 'This server did not issue the id.',
  INVALID_CURSOR: 'This server did not issue the cursor for this sort order.',
  NOT_FOUND: 'The object does not exist, or you may not see it.',
  EMPTY_FILE: 'The file is empty.',
  TOO_LARGE: 'The number of bytes, pixels or frames is above a limit.',
  UNSUPPORTED_TYPE:
    'The content is not an image of a supported type. The file name and the declared type are not considered.',
  DAMAGED_IMAGE: 'The content begins like an image, but it is truncated, corrupt or cannot be decoded.',
  UNKNOWN_MODEL: 'The model is unknown. The message lists the configured models.',
  UNKNOWN_TOOL: 'The tool is unknown. The message lists all tools.',
  MODEL_UNAVAILABLE: 'The model is known, but its provider is not configured on this server.',
  UNSUPPORTED_BY_MODEL: 'The model does not support a part of the request.',
  PROVIDER_REFUSED: 'The provider refused the request, for example because of its moderation.',
  PROVIDER_BUSY: "The provider's rate limit is reached. Try again later.",
  PROVIDER_FAILED: 'The provider failed or could not be reached.',
  PROVIDER_UNAUTHORIZED: "The provider did not accept this server's key.",
  INTERRUPTED:
    'The server stopped while the provider was working. The request may have been charged, so it is not retried automatically.',
  CANCELLED: 'The operation was cancelled before it was complete.',
  STORE_UNAVAILABLE: 'A required store could not write or read the bytes.',
  DATABASE_UNAVAILABLE:
    'The database is unreachable at the moment. Try again. A mutation that had started may have been carried out.',
  NO_SPACE:
    'The server has too little disk space and accepts no new data until there is more (MIN_FREE_BYTES).',
  STOPPED: 'The run stopped, because continuing could do damage. The message says why and how to continue.',
  BYTES_LOST: 'No store has a healthy copy of the bytes.',
  DUPLICATE: 'The user already has an image with these bytes, and `onDuplicate` is ERROR.',
  CONFLICT: 'The state of the object does not allow the operation. The message names the state.',
  MISMATCH: 'The received bytes differ from the announced size, hash or type.',
  EXPIRED: 'The time limit for this operation has passed.',
  LIMIT_REACHED: 'The maximum number of such objects exists already.',
  SOURCE_FORBIDDEN: 'This server may not fetch from the URL, or from a URL that it redirects to.',
  SOURCE_EXPIRED: 'The URL has expired. Its source no longer serves the bytes.',
  SOURCE_FAILED: 'The source could not be reached, or did not send the bytes.',
  UPLOAD_INTERRUPTED: 'The upload ended before all of its bytes arrived.',
  UNAUTHENTICATED: 'The request has no valid token.',
  IDENTITY_UNAVAILABLE: 'The identity provider could not be reached, so the token could not be checked.',
  FORBIDDEN: 'The token does not permit this operation.',
  BAD_REQUEST: 'The request is malformed.',
  TOO_COMPLEX: 'The document or its variables exceed a limit for one request. The message names the limit.',
  PERSISTED_QUERY_NOT_FOUND:
    'No operation is registered under this hash, or the document is not a registered one.',
  TIMED_OUT: 'The operation took too long. A part that had started may have been carried out.',
  RATE_LIMITED: 'Too many requests. `Retry-After` says when to send the next one.',
  OVERLOADED: 'The server is overloaded. The same request may succeed in a moment.',
  QUOTA_EXCEEDED: 'A quota of the user is used up. The error says which one and when it resets.',
  INTERNAL:
    'An internal error, not caused by the input. The log has the details under the id in the message.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorOptions {
  /** Underlying error. */
  cause?: unknown;
  /** Whether the same request may succeed later. Default: false. */
  retryable?: boolean;
  /** Path to the faulty field of the input, like a GraphQL path: `['input', 'size']`. Default: empty. */
  path?: readonly string[];
}

export class FixativeError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /**
   * `ErrorOptions.path`. It is not named `path`, because GraphQL would then not add the field's own path to
   * the error.
   */
  readonly inputPath: readonly string[];

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.inputPath = options.path ?? [];
  }
}

/** Codes of errors about one picture that a client sends or a URL gives. */
const PICTURE_CODES: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'DAMAGED_IMAGE',
  'DUPLICATE',
  'EMPTY_FILE',
  'INVALID_INPUT',
  'MISMATCH',
  'SOURCE_EXPIRED',
  'SOURCE_FAILED',
  'SOURCE_FORBIDDEN',
  'TOO_LARGE',
  'UNSUPPORTED_TYPE',
  'UPLOAD_INTERRUPTED',
];

/**
 * Awaits work on a picture of the input. An error about that picture gets `path`, unless it has a path
 * already.
 * @throws the error of `work`
 */
export async function atPath<Result>(path: readonly string[], work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    const isOfPicture = error instanceof FixativeError && PICTURE_CODES.includes(error.code);
    if (!isOfPicture || error.inputPath.length > 0) throw error;
    // Derives a new error object, because several paths may use one file and share its error.
    throw Object.create(error, { inputPath: { value: path, enumerable: true } });
  }
}

/** The client's input is at fault. */
export class InputError extends FixativeError {}

/** The object does not exist, or the client may not see it. */
export class NotFoundError extends FixativeError {
  constructor(message: string, options?: ErrorOptions) {
    super('NOT_FOUND', message, options);
  }
}

export type SizeUnit = 'bytes' | 'pixels' | 'frames' | 'seconds';

/** A limit was exceeded. */
export class TooLargeError extends FixativeError {
  /** Highest allowed value, in `unit`. */
  readonly limit: number;
  /** Value that was found, in `unit`; null: unknown. */
  readonly actual: number | null;
  readonly unit: SizeUnit;

  constructor(
    message: string,
    measure: { limit: number; actual?: number; unit: SizeUnit },
    options?: ErrorOptions,
  ) {
    super('TOO_LARGE', message, options);
    this.limit = measure.limit;
    this.actual = measure.actual ?? null;
    this.unit = measure.unit;
  }
}

/** The content is not a picture of a supported type. */
export class UnsupportedTypeError extends FixativeError {
  /** Type that the first bytes suggest. */
  readonly detected: string;

  constructor(message: string, detected: string, options?: ErrorOptions) {
    super('UNSUPPORTED_TYPE', message, options);
    this.detected = detected;
  }
}

/** A provider refused a request or failed. */
export class ProviderError extends FixativeError {
  readonly provider: string;
  /** Seconds after which the provider allows a retry; null: it named none. */
  readonly retryAfterSeconds: number | null;
  /**
   * Whether the provider may charge for the request although no picture came. Such a request is never retried
   * automatically.
   */
  readonly paid: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    subject: { provider: string; retryAfterSeconds?: number | null; paid?: boolean },
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.provider = subject.provider;
    this.retryAfterSeconds = subject.retryAfterSeconds ?? null;
    this.paid = subject.paid ?? false;
  }
}

/** A store could not be reached or failed. The error does not say whether the store has a copy. */
export class StoreError extends FixativeError {
  readonly store: string;

  /** @param options.code NO_SPACE when the store is full. Default: STORE_UNAVAILABLE. */
  constructor(message: string, store: string, options?: ErrorOptions & { code?: 'NO_SPACE' }) {
    super(options?.code ?? 'STORE_UNAVAILABLE', message, { retryable: true, ...options });
    this.store = store;
  }
}

/** A disk of the server is full, read-only or broken. It has the spool, DATA_DIR or the database. */
export class DiskError extends FixativeError {
  constructor(code: 'NO_SPACE' | 'STORE_UNAVAILABLE', message: string, options?: ErrorOptions) {
    super(code, message, { retryable: true, ...options });
  }
}

/** The user already has an image with these bytes. */
export class DuplicateError extends FixativeError {
  /** UUID of that image. */
  readonly uuid: string;

  constructor(message: string, uuid: string, options?: ErrorOptions) {
    super('DUPLICATE', message, options);
    this.uuid = uuid;
  }
}

/** A URL has expired and no longer serves its bytes. */
export class SourceExpiredError extends FixativeError {
  /** Time of expiry that the URL states; null: it states none. */
  readonly expiredAt: Date | null;

  constructor(message: string, expiredAt: Date | null, options?: ErrorOptions) {
    super('SOURCE_EXPIRED', message, options);
    this.expiredAt = expiredAt;
  }
}

/** The server has too much work. */
export class OverloadedError extends FixativeError {
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds: number, options?: ErrorOptions) {
    super('OVERLOADED', message, { retryable: true, ...options });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** A quota of the user is used up: `used` of `limit`, both in `unit`. */
export class QuotaExceededError extends FixativeError {
  readonly limit: number;
  readonly used: number;
  readonly unit: 'bytes' | 'images' | 'generations';
  /** Time at which the quota resets by itself; null: it does not. */
  readonly resetsAt: Date | null;

  constructor(
    message: string,
    quota: Pick<QuotaExceededError, 'limit' | 'used' | 'unit' | 'resetsAt'>,
    options?: ErrorOptions,
  ) {
    super('QUOTA_EXCEEDED', message, { retryable: quota.resetsAt !== null, ...options });
    this.limit = quota.limit;
    this.used = quota.used;
    this.unit = quota.unit;
    this.resetsAt = quota.resetsAt;
  }
}
