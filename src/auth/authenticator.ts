import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { FixativeError } from '../errors.ts';
import { type Caller, ROOT } from './caller.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Tokens } from './tokens.ts';

export const SESSION_COOKIE = 'fixative_session';
/** In the compact form (RFC 7515, 7.1). */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
export const SESSION_SECONDS = 30 * 24 * 60 * 60;

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
  /** The code of the link that logs a browser in; good until the server stops. */
  readonly loginCode: string;
  /** Exchanges the code, or the root token itself, for the value of a session cookie; null when it is neither. */
  openSession(codeOrToken: string): string | null;
}

/**
 * A session is its expiry and a MAC of it under the root token: nothing is kept, it survives a restart, and it ends when the
 * root token changes.
 */
export function makeAuthenticator(
  rootToken: string,
  {
    tokens,
    jwt,
    loginCode = randomBytes(32).toString('base64url'),
  }: { tokens: Pick<Tokens, 'authenticate'>; jwt: JwtVerifier | null; loginCode?: string },
): Authenticator {
  const isRootToken = makeComparison(rootToken);
  const isLoginCode = makeComparison(loginCode);
  const sign = (expiry: string) =>
    createHmac('sha256', rootToken).update(`session:${expiry}`).digest('base64url');

  function sessionIsValid(value: string): boolean {
    const [expiry = '', mac = ''] = value.split('.');
    return makeComparison(sign(expiry))(mac) && Number(expiry) > Date.now() / 1000;
  }

  async function callerOf(token: string): Promise<Caller> {
    if (isRootToken(token)) return ROOT;
    const caller = await tokens.authenticate(token);
    if (caller) return caller;
    if (jwt && JWT.test(token)) return jwt.verify(token);
    throw new FixativeError('UNAUTHENTICATED', 'The token is not valid, or is valid no more.');
  }

  return {
    loginCode,
    async authenticate({ authorization, cookie }) {
      const token = authorization && /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (token) return callerOf(token);
      const session = cookie && readCookie(cookie, SESSION_COOKIE);
      return session && sessionIsValid(session) ? ROOT : null;
    },
    openSession(codeOrToken) {
      if (!isLoginCode(codeOrToken) && !isRootToken(codeOrToken)) return null;
      const expiry = String(Math.floor(Date.now() / 1000) + SESSION_SECONDS);
      return `${expiry}.${sign(expiry)}`;
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
