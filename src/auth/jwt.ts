/**
 * JSON Web Tokens (RFC 7519, 8725) of the user's own identity provider: a backend that knows its users already needs no token of ours for
 * each. Which algorithms are taken is said by the configuration and never by the token: signatures under a shared secret only where
 * there is a secret, those of a key pair only where there are public keys, and unsigned ones never.
 */
import { hash } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { fetch } from 'undici';
import type { JwtConfig } from '../config.ts';
import { FixativeError } from '../errors.ts';
import { LIMITS, parseText } from '../image/input.ts';
import { type Caller, IMAGE_SCOPES, isScope, makeCaller, ROOT_USER, type Scope } from './caller.ts';

export interface JwtVerifier {
  /**
   * Whose token it is.
   * @throws FixativeError UNAUTHENTICATED for one that is not valid; IDENTITY_UNAVAILABLE when that cannot be known.
   */
  verify(token: string): Promise<Caller>;
}

const MAX_JWKS_BYTES = 256 * 1024;
const JWKS_TIMEOUT_SECONDS = 5;
/** Keys that are known are used for so long; for one that is not known they are asked for again, but not more often than this. */
const JWKS_MAX_AGE_SECONDS = 10 * 60;
const JWKS_COOLDOWN_SECONDS = 30;
/** After a failure the provider is left alone for so long: strangers decide how often a token comes. */
const JWKS_RETRY_SECONDS = 5;
/** Clocks of two machines differ. */
const CLOCK_TOLERANCE_SECONDS = 10;
const REMEMBER_SECONDS = 10;
const MAX_REMEMBERED = 10_000;

export function makeJwtVerifier(config: JwtConfig, log: Logger): JwtVerifier {
  const remembered = new LRUCache<string, Caller>({
    max: MAX_REMEMBERED,
    ttlResolution: 0,
    // The expiry time of a token is a wall-clock time.
    perf: { now: () => Date.now() },
  });
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

  async function read(token: string): Promise<JWTPayload> {
    try {
      // Its two forms take a key, or what finds one.
      const { payload } = await (typeof keys === 'function'
        ? jwtVerify(token, keys, options)
        : jwtVerify(token, keys, options));
      return payload;
    } catch (error) {
      if (INVALID.some((type) => error instanceof type))
        throw new FixativeError('UNAUTHENTICATED', explain(error as Error), { cause: error });
      throw new FixativeError('IDENTITY_UNAVAILABLE', 'The keys of the identity provider cannot be read.', {
        cause: error,
        retryable: true,
      });
    }
  }

  return {
    async verify(token) {
      const key = hash('sha256', token, 'hex');
      const known = remembered.get(key);
      if (known) return known;
      const payload = await read(token);
      const caller = callerOf(payload, config);
      const expires = ((payload.exp ?? 0) + CLOCK_TOLERANCE_SECONDS) * 1000;
      const ttl = Math.min(REMEMBER_SECONDS * 1000, expires - Date.now());
      // The cache keeps an entry with a ttl of 0 for ever.
      if (ttl > 0) remembered.set(key, caller, { ttl });
      return caller;
    },
  };
}

/** What the token itself is at fault for. */
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

/** Of what a stranger sends nothing is repeated but the name of a claim. */
function explain(error: Error): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `The claim ${error.claim} of the token is not what this server asks for.`;
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'The token is signed by an algorithm that this server does not take (AUTH_JWT_ALGORITHMS).';
  return 'The token is not valid.';
}

function callerOf(payload: JWTPayload, config: JwtConfig): Caller {
  const scopes = scopesOf(find(payload, config.scopeClaim));
  const claim = find(payload, config.userClaim);
  const named = `The claim ${config.userClaim} of the token (AUTH_JWT_USER_CLAIM)`;
  const text = Number.isSafeInteger(claim) ? String(claim) : claim;
  if (typeof text !== 'string') throw unusable(`${named} names no user.`);
  if (text.length > LIMITS.userIdLength) {
    throw unusable(
      `${named} has ${text.length} characters; a user has at most ${LIMITS.userIdLength}. Choose a claim with a shorter name of the user.`,
    );
  }
  let userId: string;
  try {
    userId = parseText(config.userClaim, text, LIMITS.userIdLength);
  } catch (cause) {
    throw unusable(`${named} names no user.`, cause);
  }
  // Where users choose their own names, one of them would see what belongs to the operator.
  if (userId === ROOT_USER && !scopes.includes('admin'))
    throw unusable(`${named} is \`${ROOT_USER}\`, whose images are the operator's.`);
  return makeCaller({ kind: 'jwt', name: userId, userId, scopes });
}

function unusable(message: string, cause?: unknown): FixativeError {
  return new FixativeError('UNAUTHENTICATED', message, { cause });
}

/** Divided by spaces (RFC 8693, 4.2) or a list; what is none of ours is left aside. Without the claim: what concerns images. */
function scopesOf(claim: unknown): readonly Scope[] {
  if (claim === undefined) return IMAGE_SCOPES;
  const names = typeof claim === 'string' ? claim.split(/[\s,]+/) : Array.isArray(claim) ? claim : [];
  return names
    .filter((name): name is string => typeof name === 'string')
    .flatMap((name) => (name === 'images:*' ? IMAGE_SCOPES : isScope(name) ? [name] : []));
}

/** A claim by its name, which may have dots in it, or by the path to it, as in `realm_access.roles`. */
function find(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** The operator chose the address, and the provider what it answers: it may be slow, large, or gone, and sends us nowhere else. */
function makeKeysFetch(log: Logger) {
  let failedAt = Number.NEGATIVE_INFINITY;
  return async (url: string, init: { signal: AbortSignal }): Promise<Response> => {
    if (Date.now() - failedAt < JWKS_RETRY_SECONDS * 1000)
      throw new Error('The keys could not be read a moment ago.');
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
        if (bytes > MAX_JWKS_BYTES) throw new Error(`The keys have more than ${MAX_JWKS_BYTES} bytes.`);
        chunks.push(chunk);
      }
      if (response.status !== 200) throw new Error(`The address of the keys answers ${response.status}.`);
      return new Response(Buffer.concat(chunks));
    } catch (error) {
      failedAt = Date.now();
      log.warn({ err: error }, 'could not read the keys of the identity provider (AUTH_JWKS_URL)');
      throw error;
    }
  };
}
