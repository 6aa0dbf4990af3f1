/**
 * All failures that Fixative reports. Programs read `code` and `retryable`; people read `message`, which
 * names the subject and what to do; `cause` is the underlying error. Any other error is a defect: clients get
 * `INTERNAL` and an id, and the log has the details.
 */

/**
 * Descriptions by code, which the GraphQL enum `ErrorCode` shows. Codes may be added and are never removed.
 */
export const ERROR_CODES = {
  INVALID_INPUT: 'A value of the input is not allowed; the message says what is.',
  INVALID_ID: 'The ID is not one of this server, or not of this type.',
  INVALID_CURSOR: 'The cursor is not one of this server, or belongs to another order.',
  NOT_FOUND: 'The object does not exist, or the caller may not see it.',
  EMPTY_FILE: 'The file is empty.',
  TOO_LARGE: 'The bytes, pixels or frames exceed a limit.',
  UNSUPPORTED_TYPE:
    'The content is not an image of a supported type, whatever its name or declared type says.',
  DAMAGED_IMAGE: 'The image is truncated, corrupt or cannot be decoded.',
  UNKNOWN_MODEL: 'No configured provider has this model.',
  UNKNOWN_TOOL: 'The tool does not exist; the message lists those that do.',
  MODEL_UNAVAILABLE: 'The model is known, but its provider is not configured on this server.',
  UNSUPPORTED_BY_MODEL: 'The model does not support an option of the request.',
  PROVIDER_REFUSED: 'The provider refused the request, for example by its moderation.',
  PROVIDER_BUSY: 'The provider limits the rate of requests; try again later.',
  PROVIDER_FAILED: 'The provider failed or could not be reached.',
  PROVIDER_UNAUTHORIZED: 'The provider did not accept the API key of this server.',
  INTERRUPTED:
    'The server stopped while the provider was working. The request may have been charged, so it is not repeated automatically. Of a maintenance run: the server that executed it stopped.',
  CANCELLED: 'The generation or the maintenance run was cancelled.',
  STORE_UNAVAILABLE: 'A store could not be read or written.',
  DATABASE_UNAVAILABLE:
    'The database cannot be reached at the moment; try again. A mutation that had begun may have been completed.',
  NO_SPACE: 'The server is short of disk space and accepts no more data (MIN_FREE_BYTES).',
  STOPPED:
    'A maintenance run stopped itself or did not begin, because continuing might do harm; the message says why and how to continue.',
  BYTES_LOST: 'No store has a healthy copy of the bytes.',
  DUPLICATE: 'The user already has an image with the same bytes, and `onDuplicate` is ERROR.',
  CONFLICT: 'The present state of the object does not allow this; the message says which state.',
  MISMATCH: 'The uploaded file differs from what was announced: its size, hash or type.',
  EXPIRED: 'The time limit for this has passed.',
  LIMIT_REACHED: 'The maximum number of such objects is reached.',
  SOURCE_FORBIDDEN: 'The address, or one that it redirects to, is not one that this server may fetch from.',
  SOURCE_EXPIRED: 'The address has expired; its source no longer returns the bytes.',
  SOURCE_FAILED: 'The source could not be reached, or did not return the bytes.',
  UPLOAD_INTERRUPTED: 'The upload ended before all bytes arrived.',
  UNAUTHENTICATED: 'The request has no valid token.',
  IDENTITY_UNAVAILABLE:
    'The identity provider cannot be reached, so the token cannot be checked; try again later.',
  FORBIDDEN: 'The token does not allow this.',
  BAD_REQUEST: 'The request is malformed.',
  TOO_COMPLEX: 'The document or its variables exceed a limit for one request; the message names the limit.',
  PERSISTED_QUERY_NOT_FOUND: 'The hash or document is not one of the persisted operations of this server.',
  TIMED_OUT: 'The operation took too long. A mutation that had begun may have been completed.',
  RATE_LIMITED: 'Too many requests; the header `Retry-After` says when to retry.',
  OVERLOADED: 'The server is overloaded; try the same request again in a moment.',
  QUOTA_EXCEEDED: 'The user has reached a quota; the error says which, and when it resets.',
  INTERNAL: 'An unexpected error of the server. The log has the details under the ID in the message.',
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
