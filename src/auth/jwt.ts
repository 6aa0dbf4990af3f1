/**
 * JSON Web Tokens (RFC 7519, 8725) of the operator's own identity provider: a backend that knows its users
 * needs no API token for each. The configuration decides which algorithms are accepted, never the token:
 * signatures under a shared secret only if a secret is configured, those of a key pair only if public keys
 * are, and unsigned tokens never.
 */
import { hash } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { fetch } from 'undici';
import type { JwtConfig } from '../config.ts';
import { FixativeError } from '../errors.ts';
import { LIMITS, parseText } from '../image/input.ts';
import { type Caller, IMAGE_SCOPES, isScope, makeCaller, ROOT_USER, type Scope } from './caller.ts';
import { makeExpiringCache } from './expiring-cache.ts';

export interface JwtVerifier {
  /**
   * Returns the caller of a token.
   * @throws FixativeError UNAUTHENTICATED for an invalid token; IDENTITY_UNAVAILABLE if the keys cannot be
   * read.
   */
  verify(token: string): Promise<Caller>;
}

const MAX_JWKS_BYTES = 256 * 1024;
const JWKS_TIMEOUT_SECONDS = 5;
/** Longest time for which the keys are cached. */
const JWKS_MAX_AGE_SECONDS = 10 * 60;
/** Shortest time between two reads of the keys, when a token names an unknown key. */
const JWKS_COOLDOWN_SECONDS = 30;
/** Pause after a failed read, because anyone can send tokens as often as they like. */
const JWKS_RETRY_SECONDS = 5;
/** Allowed difference between the clocks of this server and the provider. */
const CLOCK_TOLERANCE_SECONDS = 10;
/** Time for which a verified token is accepted without verifying it again. */
const CACHE_SECONDS = 10;
const MAX_CACHED = 10_000;

export function makeJwtVerifier(config: JwtConfig, log: Logger): JwtVerifier {
  const cache = makeExpiringCache<Caller>(MAX_CACHED);
  const keys =
    'secret' in config.keys
      ? new TextEncoder().encode(config.keys.secret)
      : createRemoteJWKSet(new URL(config.keys.jwksUrl), {
          timeoutDuration: JWKS_TIMEOUT_SECONDS * 1000,
          cooldownDuration: JWKS_COOLDOWN_SECONDS * 1000,
          cacheMaxAge: JWKS_MAX_AGE_SECONDS * 1000,
          [customFetch]: makeKeysFetch(log),
        });
  const options = {
    algorithms: [...config.algorithms],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ['exp'],
    ...(config.issuer === null ? {} : { issuer: config.issuer }),
    ...(config.audience.length === 0 ? {} : { audience: [...config.audience] }),
  };

  async function readPayload(token: string): Promise<JWTPayload> {
    try {
      // One overload of jwtVerify takes a key, the other a function that finds it.
      const { payload } = await (typeof keys === 'function'
        ? jwtVerify(token, keys, options)
        : jwtVerify(token, keys, options));
      return payload;
    } catch (error) {
      if (INVALID.some((type) => error instanceof type))
        throw new FixativeError('UNAUTHENTICATED', explain(error as Error), { cause: error });
      throw new FixativeError(
        'IDENTITY_UNAVAILABLE',
        'The keys of the identity provider cannot be read (AUTH_JWKS_URL). Try again later.',
        {
          cause: error,
          retryable: true,
        },
      );
    }
  }

  return {
    async verify(token) {
      const key = hash('sha256', token, 'hex');
      const cached = cache.get(key);
      if (cached) return cached;
      const payload = await readPayload(token);
      const caller = callerOf(payload, config);
      const expires = ((payload.exp ?? 0) + CLOCK_TOLERANCE_SECONDS) * 1000;
      cache.set(key, caller, Math.min(Date.now() + CACHE_SECONDS * 1000, expires));
      return caller;
    },
  };
}

/** Errors that the token itself causes. */
const INVALID = [
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

/** Returns the message for an invalid token. It repeats nothing of the token but the name of a claim. */
function explain(error: Error): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The claim ${error.claim} of the token is missing, or has a value that this server does not accept.`;
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'The token is signed with an algorithm that this server does not accept (AUTH_JWT_ALGORITHMS).';
  return 'The token is invalid.';
}

function callerOf(payload: JWTPayload, config: JwtConfig): Caller {
  const scopes = scopesOf(findClaim(payload, config.scopeClaim));
  const claim = findClaim(payload, config.userClaim);
  const named = `The claim ${config.userClaim} of the token (AUTH_JWT_USER_CLAIM)`;
  const text = Number.isSafeInteger(claim) ? String(claim) : claim;
  if (typeof text !== 'string') throw unusableClaim(`${named} names no user.`);
  if (text.length > LIMITS.userIdLength) {
    throw unusableClaim(
      `${named} has ${text.length} characters; a user ID has at most ${LIMITS.userIdLength}. Choose a claim with a shorter ID of the user.`,
    );
  }
  let userId: string;
  try {
    userId = parseText(config.userClaim, text, LIMITS.userIdLength);
  } catch (cause) {
    throw unusableClaim(`${named} names no user.`, cause);
  }
  // If users can choose their own names, one of them could read the operator's images.
  if (userId === ROOT_USER && !scopes.includes('admin'))
    throw unusableClaim(
      `${named} is \`${ROOT_USER}\`, which is reserved for the operator. Choose a claim that users cannot set.`,
    );
  return makeCaller({ kind: 'jwt', name: userId, userId, scopes });
}

function unusableClaim(message: string, cause?: unknown): FixativeError {
  return new FixativeError('UNAUTHENTICATED', message, { cause });
}

/**
 * Returns the scopes of a claim: a text divided by spaces (RFC 8693, 4.2) or a list. Unknown scopes are
 * ignored. Without the claim: IMAGE_SCOPES.
 */
function scopesOf(claim: unknown): readonly Scope[] {
  if (claim === undefined) return IMAGE_SCOPES;
  const names = typeof claim === 'string' ? claim.split(/[\s,]+/) : Array.isArray(claim) ? claim : [];
  return names
    .filter((name): name is string => typeof name === 'string')
    .flatMap((name) => (name === 'images:*' ? IMAGE_SCOPES : isScope(name) ? [name] : []));
}

/** Returns a claim by its name, which may contain dots, or by a path such as `realm_access.roles`. */
function findClaim(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/**
 * Returns a `fetch` for the keys: with a limit of size, without redirects, and with a pause after a failure.
 */
function makeKeysFetch(log: Logger) {
  let failedAt = Number.NEGATIVE_INFINITY;
  return async (url: string, init: { signal: AbortSignal }): Promise<Response> => {
    if (Date.now() - failedAt < JWKS_RETRY_SECONDS * 1000)
      throw new Error(
        `The keys could not be read in the last ${JWKS_RETRY_SECONDS} seconds; not trying again yet.`,
      );
    try {
      const response = await fetch(url, {
        signal: init.signal,
        redirect: 'error',
        headers: { accept: 'application/json' },
      });
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > MAX_JWKS_BYTES) throw new Error(`The keys are larger than ${MAX_JWKS_BYTES} bytes.`);
        chunks.push(chunk);
      }
      if (response.status !== 200)
        throw new Error(`The address of the keys returned status ${response.status} instead of 200.`);
      return new Response(Buffer.concat(chunks));
    } catch (error) {
      failedAt = Date.now();
      log.warn({ err: error }, 'could not read the keys of the identity provider (AUTH_JWKS_URL)');
      throw error;
    }
  };
}
