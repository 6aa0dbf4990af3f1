/** Interprets errors of S3: whether a retry may help, and what an operator can do. */
import type { S3ServiceException } from '@aws-sdk/client-s3';
import { StoreError } from '../../../errors.ts';

/**
 * Advice to the operator about a refusal, by S3's error code, or by the HTTP status if there is no code (HEAD
 * has no body).
 */
const REMEDIES: Readonly<Record<string, string>> = {
  AccessDenied:
    'the key may not do this; allow it s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket on the bucket',
  InvalidAccessKeyId: 'the server does not know this access key; set AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret does not belong to the access key; set AWS_SECRET_ACCESS_KEY',
  ExpiredToken: 'the session has expired; renew AWS_SESSION_TOKEN',
  InvalidToken: 'the session token is not valid; set AWS_SESSION_TOKEN',
  CredentialsProviderError: 'there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  RequestTimeTooSkewed: 'the clocks differ; set the clock of this machine',
  NoSuchBucket: 'there is no such bucket; create it, or correct the name of the bucket',
  InvalidBucketName: 'this cannot be the name of a bucket; correct it',
  AuthorizationHeaderMalformed: 'the bucket is in another region; set AWS_REGION',
  PermanentRedirect: 'the bucket is in another region; set AWS_REGION',
  301: 'the bucket is in another region; set AWS_REGION',
  400: 'the request was refused without a reason; check AWS_REGION and the credentials',
  401: 'the credentials are not accepted; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  403: 'the credentials are not accepted or may not do this; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and that the key has s3:GetObject and s3:ListBucket',
};

/**
 * Error codes below status 500 that are worth a retry: rate limits, slow connections, bytes damaged in
 * transit.
 */
const RETRYABLE_CODES = new Set([
  'SlowDown',
  'RequestTimeout',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'OperationAborted',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
]);

/** Makes a StoreError that names the setting to change, if one is wrong. It never contains a secret. */
export function s3Error(
  { name, bucket }: { readonly name: string; readonly bucket: string },
  verb: string,
  key: string,
  error: unknown,
): StoreError {
  const code = codeOf(error);
  const remedy = REMEDIES[code] ?? REMEDIES[String(statusOf(error))];
  const retryable = isRetryable(error);
  // The server's words about a signature may quote the signed text, so a remedy replaces them.
  const reason = remedy && !retryable ? `${remedy} (${code})` : reasonOf(error);
  return new StoreError(`${name} could not ${verb} ${key} in the bucket ${bucket}: ${reason}.`, name, {
    cause: withoutSecrets(error),
    retryable,
  });
}

/** Returns the error code of S3, or the name of any other error. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** Returns the HTTP status of a refusal; undefined if there was no response. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

/** Returns whether a retry may succeed. */
export function isRetryable(error: unknown): boolean {
  const status = statusOf(error);
  if (RETRYABLE_CODES.has(codeOf(error))) return true;
  // No response: a network error is retryable, a wrong setting is not.
  if (status === undefined) return !(codeOf(error) in REMEDIES) && !(error instanceof TypeError);
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const status = statusOf(error);
  if (status !== undefined) {
    const detail = error.message && error.message !== error.name ? `: ${error.message.slice(0, 200)}` : '';
    return `the server answered ${status} ${error.name}${detail}`.replace(/\.$/, '');
  }
  // A failed connection to several addresses of a host is an AggregateError without a message.
  const first = error instanceof AggregateError ? error.errors[0] : undefined;
  return (error.message || (first as Error | undefined)?.message || error.name).replace(/\.$/, '');
}

/**
 * Errors of the SDK carry the whole response, with the access key and the signed text. Keeps code, status and
 * request id.
 */
function withoutSecrets(error: unknown): unknown {
  const status = statusOf(error);
  if (status === undefined) return error;
  const { requestId } = (error as S3ServiceException).$metadata;
  return Object.assign(new Error(`${codeOf(error)} (${status})`), { code: codeOf(error), status, requestId });
}
