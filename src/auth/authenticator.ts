import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { FixativeError } from '../errors.ts';
import { type Caller, ROOT } from './caller.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Tokens } from './tokens.ts';

export const SESSION_COOKIE = 'fixative_session';
/** In the compact form (RFC 7515, 7.1). */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
export const SESSION_SECONDS = 30 * 24 * 60 * 60;
/** How long the link that a server prints at its start logs browsers in. */
export const LOGIN_DAYS = 7;

type Purpose = 'session' | 'login';

/** What came with a request. */
export interface Credentials {
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

/** Says who is asking, by what came with a request. Every comparison takes the same time whatever it compares. */
export interface Authenticator {
  /**
   * The caller, or null when no token and no valid session came with the request.
   * @throws FixativeError UNAUTHENTICATED for a token that is not valid; IDENTITY_UNAVAILABLE when that cannot be known.
   */
  authenticate(credentials: Credentials): Promise<Caller | null>;
  /** The code of the link that logs a browser in, at every server with the same root token, for LOGIN_DAYS from the start. */
  readonly loginCode: string;
  /** Exchanges the code, or the root token itself, for the value of a session cookie; null when it is neither. */
  openSession(codeOrToken: string): string | null;
}

/**
 * A session is its expiry and a MAC of it under the root token: nothing is kept, it survives a restart, and it ends when the
 * root token changes. The code of the login link is made in the same way.
 */
export function makeAuthenticator(
  rootToken: string,
  { tokens, jwt }: { tokens: Pick<Tokens, 'authenticate'>; jwt: JwtVerifier | null },
): Authenticator {
  const isRootToken = makeComparison(rootToken);
  const macOf = (purpose: Purpose, expiry: string) =>
    createHmac('sha256', rootToken).update(`${purpose}:${expiry}`).digest('base64url');

  function makeTicket(purpose: Purpose, seconds: number): string {
    const expiry = String(Math.floor(Date.now() / 1000) + seconds);
    return `${expiry}.${macOf(purpose, expiry)}`;
  }

  function isTicket(purpose: Purpose, value: string): boolean {
    const [expiry = '', mac = ''] = value.split('.');
    return makeComparison(macOf(purpose, expiry))(mac) && Number(expiry) > Date.now() / 1000;
  }

  async function callerOf(token: string): Promise<Caller> {
    if (isRootToken(token)) return ROOT;
    const caller = await tokens.authenticate(token);
    if (caller) return caller;
    if (jwt && JWT.test(token)) return jwt.verify(token);
    throw new FixativeError('UNAUTHENTICATED', 'The token is not valid, or is valid no more.');
  }

  return {
    loginCode: makeTicket('login', LOGIN_DAYS * 86_400),
    async authenticate({ authorization, cookie }) {
      const token = authorization && /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (token) return callerOf(token);
      const session = cookie && readCookie(cookie, SESSION_COOKIE);
      return session && isTicket('session', session) ? ROOT : null;
    },
    openSession(codeOrToken) {
      if (!isTicket('login', codeOrToken) && !isRootToken(codeOrToken)) return null;
      return makeTicket('session', SESSION_SECONDS);
    },
  };
}

/** Compares hashes, so that neither time nor length tells anything of the secret. */
function makeComparison(secret: string): (given: string) => boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer');
  const expected = digest(secret);
  return (given) => timingSafeEqual(digest(given), expected);
}

function readCookie(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
