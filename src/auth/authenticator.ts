import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Caller, ROOT } from './caller.ts';

export const SESSION_COOKIE = 'fixative_session';
export const SESSION_SECONDS = 30 * 24 * 60 * 60;

/** Says who is asking, by what came with a request. Every comparison takes the same time whatever it compares. */
export interface Authenticator {
  /** The caller, or null when nothing valid came with the request. */
  authenticate(credentials: { authorization: string | undefined; cookie: string | undefined }): Caller | null;
  /** The code of the link that logs a browser in; good until the server stops. */
  readonly loginCode: string;
  /** Exchanges the code, or the root token itself, for the value of a session cookie; null when it is neither. */
  openSession(codeOrToken: string): string | null;
}

/**
 * A session is its expiry and a MAC of it under the root token: nothing is kept, it survives a restart, and it ends when the
 * root token changes.
 */
export function makeAuthenticator(rootToken: string): Authenticator {
  const loginCode = randomBytes(32).toString('base64url');
  const sign = (expiry: string) =>
    createHmac('sha256', rootToken).update(`session:${expiry}`).digest('base64url');

  function sessionIsValid(value: string): boolean {
    const [expiry = '', mac = ''] = value.split('.');
    return equal(mac, sign(expiry)) && Number(expiry) > Date.now() / 1000;
  }

  return {
    loginCode,
    authenticate({ authorization, cookie }) {
      const token = authorization && /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (token) return equal(token, rootToken) ? ROOT : null;
      const session = cookie && readCookie(cookie, SESSION_COOKIE);
      return session && sessionIsValid(session) ? ROOT : null;
    },
    openSession(codeOrToken) {
      if (!equal(codeOrToken, loginCode) && !equal(codeOrToken, rootToken)) return null;
      const expiry = String(Math.floor(Date.now() / 1000) + SESSION_SECONDS);
      return `${expiry}.${sign(expiry)}`;
    },
  };
}

/** Compares hashes, so that neither time nor length tells anything of the secret. */
function equal(given: string, secret: string): boolean {
  const digest = (text: string) => hash('sha256', text, 'buffer');
  return timingSafeEqual(digest(given), digest(secret));
}

function readCookie(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
