import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { FixativeError } from '../errors.ts';
import { type Caller, ROOT } from './caller.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Tokens } from './tokens.ts';

/**
 * Where all of the server's addresses are https, the name keeps other hosts and plain http from setting the cookie (RFC 6265bis, 4.1.3.2). On plain http
 * nothing does.
 */
const SESSION_COOKIES = { https: '__Host-fixative_session', http: 'fixative_session' } as const;
/** In the compact form (RFC 7515, 7.1). */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
export const SESSION_SECONDS = 30 * 24 * 60 * 60;
/** How long the link that a server prints at its start logs browsers in. */
export const LOGIN_DAYS = 7;

type Purpose = 'session' | 'token-session' | 'login';

/** What came with a request. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/**
 * Returns the token of an Authorization header of the scheme Bearer (RFC 6750, 2.1), which may be malformed; null where the scheme is another. Whoever
 * asks whether a request came by a token must ask here: then nobody is taken to have sent one whose cookie is looked at.
 */
export function bearerOf(authorization: string | undefined): string | null {
  const found = /^Bearer(?:\s+(.*))?$/is.exec(authorization ?? '');
  return found ? (found[1] ?? '').trim() : null;
}

/** Says who is asking, by what came with a request. Every comparison takes the same time whatever it compares. */
export interface Authenticator {
  /**
   * The caller, or null when no token and no valid session came with the request.
   * @throws FixativeError UNAUTHENTICATED for a token that is not valid; IDENTITY_UNAVAILABLE when that cannot be known.
   */
  authenticate(credentials: Credentials): Promise<Caller | null>;
  /** The name of the cookie that a session is kept in. */
  readonly cookieName: string;
  /** Whether that cookie is for https only. */
  readonly isSecure: boolean;
  /** The code of the link that logs a browser in, at every server with the same root token, for LOGIN_DAYS from the start. */
  readonly loginCode: string;
  /** Exchanges the code of the link for a session; null when it is not valid. */
  openSessionByCode(code: string): Session | null;
  /** Exchanges the root token, or an API token, for a session; null when it is neither, or is valid no more. */
  openSessionByToken(token: string): Promise<Session | null>;
}

export interface Session {
  /** The value of the cookie. */
  readonly value: string;
  /** How long it lasts. */
  readonly seconds: number;
}

/**
 * A session is its expiry and a MAC of it under the root token: nothing is kept, it survives a restart, and it ends when the
 * root token changes. The code of the login link is made in the same way. The session of an API token says besides which one that is, by its id: the token
 * itself is looked up each time, so that the session allows what the token allows and ends with it.
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
    throw new FixativeError('UNAUTHENTICATED', 'The token is not valid, or is valid no more.');
  }

  const rootSession = () => ({ value: makeTicket('session', SESSION_SECONDS), seconds: SESSION_SECONDS });

  return {
    cookieName,
    isSecure,
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

/** Compares hashes, so that neither time nor length tells anything of the secret. */
function makeComparison(secret: string): (given: string) => boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer');
  const expected = digest(secret);
  return (given) => timingSafeEqual(digest(given), expected);
}

/** Returns the value of a cookie; nothing where there are several of the name, of which another page may have set one. */
function readCookie(header: string, name: string): string | undefined {
  const pairs = header.split(';').map((pair) => pair.trim().split('=', 2));
  const [found, other] = pairs.filter(([key]) => key === name);
  return other ? undefined : found?.[1];
}
