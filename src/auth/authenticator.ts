import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { FixativeError } from '../errors.ts';
import { type Caller, ROOT } from './caller.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Tokens } from './tokens.ts';

/**
 * Names of the session cookie. The prefix `__Host-` keeps other hosts and plain http from setting it (RFC
 * 6265bis, 4.1.3.2). It needs https, so a server with an http address does without that protection.
 */
const SESSION_COOKIES = { https: '__Host-fixative_session', http: 'fixative_session' } as const;
/** A JSON Web Token in its compact form (RFC 7515, 7.1). */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
export const SESSION_SECONDS = 30 * 24 * 60 * 60;
/** Days for which the login link that a server prints at its start is valid. */
export const LOGIN_DAYS = 7;

type Purpose = 'session' | 'token-session' | 'login';

/** Headers of a request that may authenticate it. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/**
 * Returns the token of an Authorization header with the scheme Bearer (RFC 6750, 2.1); it may be malformed.
 * Returns null for another scheme. The CSRF check uses this function too: a request counts as sent with a
 * token exactly if its cookie is ignored.
 */
export function bearerOf(authorization: string | undefined): string | null {
  const found = /^Bearer(?:\s+(.*))?$/is.exec(authorization ?? '');
  return found ? (found[1] ?? '').trim() : null;
}

/** Authenticates requests. Comparisons of secrets take constant time. */
export interface Authenticator {
  /**
   * Returns the caller; null without a token and without a valid session.
   * @throws FixativeError UNAUTHENTICATED for an invalid token; IDENTITY_UNAVAILABLE if the keys to check it
   * cannot be read.
   */
  authenticate(credentials: Credentials): Promise<Caller | null>;
  /** Name of the session cookie. */
  readonly cookieName: string;
  /** Whether the cookie is sent over https only. */
  readonly isSecure: boolean;
  /** Whether JWTs of an identity provider are accepted. */
  readonly hasJwt: boolean;
  /** Code of the login link, valid for LOGIN_DAYS at every server with the same root token. */
  readonly loginCode: string;
  /** Exchanges the code of a login link for a session; null if it is invalid. */
  openSessionByCode(code: string): Session | null;
  /** Exchanges the root token or an API token for a session; null if it is neither, expired or revoked. */
  openSessionByToken(token: string): Promise<Session | null>;
}

export interface Session {
  /** Value of the cookie. */
  readonly value: string;
  /** Seconds until it expires. */
  readonly seconds: number;
}

/**
 * A session consists of its expiry and an HMAC of it under the root token. The server stores nothing:
 * sessions survive a restart, and end when the root token changes. The code of the login link has the same
 * form. The session of an API token also holds the token's id. The token is looked up for each request, so
 * the session has the token's scopes and ends with it.
 */
export function makeAuthenticator(
  rootToken: string,
  {
    tokens,
    jwt,
    isSecure,
  }: {
    tokens: Pick<Tokens, 'authenticate' | 'authenticateId' | 'identify'>;
    jwt: JwtVerifier | null;
    isSecure: boolean;
  },
): Authenticator {
  const cookieName = SESSION_COOKIES[isSecure ? 'https' : 'http'];
  const isRootToken = makeComparison(rootToken);
  const macOf = (purpose: Purpose, claim: string) =>
    createHmac('sha256', rootToken).update(`${purpose}:${claim}`).digest('base64url');

  function makeTicket(purpose: Purpose, seconds: number, ...claims: string[]): string {
    const claim = [String(Math.floor(Date.now() / 1000) + seconds), ...claims].join('.');
    return `${claim}.${macOf(purpose, claim)}`;
  }

  function isTicket(purpose: Purpose, value: string): boolean {
    const end = value.lastIndexOf('.');
    const claim = value.slice(0, Math.max(end, 0));
    const [expiry] = claim.split('.');
    return makeComparison(macOf(purpose, claim))(value.slice(end + 1)) && Number(expiry) > Date.now() / 1000;
  }

  async function callerOfSession(value: string): Promise<Caller | null> {
    if (isTicket('session', value)) return ROOT;
    const [, id = ''] = value.split('.');
    return isTicket('token-session', value) ? tokens.authenticateId(id) : null;
  }

  async function callerOf(token: string): Promise<Caller> {
    if (isRootToken(token)) return ROOT;
    const caller = await tokens.authenticate(token);
    if (caller) return caller;
    if (jwt && JWT.test(token)) return jwt.verify(token);
    throw new FixativeError(
      'UNAUTHENTICATED',
      'The token is invalid, expired or revoked. Use a valid token.',
    );
  }

  const rootSession = () => ({ value: makeTicket('session', SESSION_SECONDS), seconds: SESSION_SECONDS });

  return {
    cookieName,
    isSecure,
    hasJwt: jwt !== null,
    loginCode: makeTicket('login', LOGIN_DAYS * 86_400),
    async authenticate({ authorization, cookie }) {
      const token = bearerOf(authorization);
      if (token !== null) return callerOf(token);
      const session = cookie && readCookie(cookie, cookieName);
      return session ? callerOfSession(session) : null;
    },
    openSessionByCode: (code) => (isTicket('login', code) ? rootSession() : null),
    async openSessionByToken(token) {
      if (isRootToken(token)) return rootSession();
      const known = await tokens.identify(token);
      if (!known) return null;
      const left = known.expiresAt ? Math.floor((known.expiresAt.getTime() - Date.now()) / 1000) : Infinity;
      const seconds = Math.max(0, Math.min(SESSION_SECONDS, left));
      return { value: makeTicket('token-session', seconds, known.id), seconds };
    },
  };
}

/** Compares hashes, so that neither time nor length reveals anything about the secret. */
function makeComparison(secret: string): (given: string) => boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer');
  const expected = digest(secret);
  return (given) => timingSafeEqual(digest(given), expected);
}

/**
 * Returns the value of a cookie; undefined if several have the name, because another site may have set one of
 * them.
 */
function readCookie(header: string, name: string): string | undefined {
  const pairs = header.split(';').map((pair) => pair.trim().split('=', 2));
  const [found, other] = pairs.filter(([key]) => key === name);
  return other ? undefined : found?.[1];
}
