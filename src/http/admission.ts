import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator, Credentials } from '../auth/authenticator.ts';
import { allows, NEEDED_SCOPES } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import { FixativeError } from '../errors.ts';
import { isOwnPage } from './csrf.ts';
import type { LetIn } from './operations/graphql.ts';
import { sendLoginPage, serveLogin, serveLogout } from './pages/login.ts';
import { sendProblem } from './response/problem.ts';
import { sendRefusal, type Traffic } from './traffic/traffic.ts';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Finds out who asks. Each method that returns null has answered the request. */
export interface Admission {
  /** Returns the caller before a byte of the body is read. @param page whether a browser is shown the login page. */
  authenticate(exchange: Exchange, options: { page: boolean }): Promise<Caller | null>;
  /** Returns the caller of an address that needs a scope. */
  admit(exchange: Exchange, path: keyof typeof NEEDED_SCOPES.http): Promise<Caller | null>;
  /** Answers `/login`; what is not valid there is counted as everywhere. */
  logIn(exchange: Exchange): Promise<void>;
  /** Answers `/logout`. */
  logOut(exchange: Exchange): void;
  /** Checks the credentials again for as long as the caller is the same: they may be revoked. */
  letIn(request: IncomingMessage, caller: Caller): LetIn;
}

export function makeAdmission(
  authenticator: Authenticator,
  traffic: Pick<Traffic, 'hasFailed' | 'takeFailure'>,
): Admission {
  async function authenticate(
    { request, response }: Exchange,
    { page }: { page: boolean },
  ): Promise<Caller | null> {
    const { accept } = request.headers;
    // Whoever has tried too much is told so before anything is looked up.
    const full = traffic.hasFailed(request);
    if (full) {
      sendRefusal({ request, response }, full);
      return null;
    }
    let caller: Caller | null;
    try {
      caller = await authenticator.authenticate(credentialsOf(request));
    } catch (error) {
      if (!(error instanceof FixativeError)) throw error;
      const refusal = traffic.takeFailure(request);
      if (refusal) sendRefusal({ request, response }, refusal);
      else sendUnauthenticated({ request, response }, error);
      return null;
    }
    if (caller && !isOwnPage(request)) {
      const message = 'A session is good for pages of this server only.';
      sendProblem({ request, response }, 403, { code: 'FORBIDDEN', message });
      return null;
    }
    if (caller) return caller;
    const refusal = traffic.takeFailure(request);
    if (refusal) {
      sendRefusal({ request, response }, refusal);
      return null;
    }
    if (page && request.method === 'GET' && accept?.includes('text/html')) {
      sendLoginPage(response, '');
      return null;
    }
    const message =
      'Send a token: Authorization: Bearer <token>. The root token is FIXATIVE_ROOT_TOKEN, or in DATA_DIR/root-token.';
    const challenge = { 'WWW-Authenticate': 'Bearer realm="fixative"' };
    sendProblem({ request, response }, 401, { code: 'UNAUTHENTICATED', message }, challenge);
    return null;
  }

  async function admit(exchange: Exchange, path: keyof typeof NEEDED_SCOPES.http): Promise<Caller | null> {
    const caller = await authenticate(exchange, { page: false });
    const scope = NEEDED_SCOPES.http[path];
    if (caller === null || allows(caller, scope)) return caller;
    sendProblem(
      exchange,
      403,
      { code: 'FORBIDDEN', message: `The token does not allow this: it needs the scope ${scope}.` },
      { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    );
    return null;
  }

  async function logIn(exchange: Exchange): Promise<void> {
    const { request } = exchange;
    const full = traffic.hasFailed(request);
    if (full) return sendRefusal(exchange, full);
    if (isOfOtherPage(exchange)) return;
    await serveLogin(authenticator, exchange, () => traffic.takeFailure(request));
  }

  function logOut(exchange: Exchange): void {
    if (!isOfOtherPage(exchange)) serveLogout(authenticator, exchange);
  }

  /** Whether it was sent by a page of another origin, and is answered with that. */
  function isOfOtherPage(exchange: Exchange): boolean {
    if (isOwnPage(exchange.request)) return false;
    const message = 'Only pages of this server may log a browser in or out.';
    sendProblem(exchange, 403, { code: 'FORBIDDEN', message });
    return true;
  }

  function letIn(request: IncomingMessage, caller: Caller): LetIn {
    const credentials = credentialsOf(request);
    const isLetIn = () =>
      authenticator.authenticate(credentials).then(
        (now) => now?.userId === caller.userId,
        (error) => {
          // Whoever cannot be asked about now may well be let in: the subscription breaks off, and its client comes again.
          if (error instanceof FixativeError && error.code === 'UNAUTHENTICATED') return false;
          throw error;
        },
      );
    return { caller, isLetIn };
  }

  return { authenticate, admit, logIn, logOut, letIn };
}

const credentialsOf = ({ headers: { authorization, cookie } }: IncomingMessage): Credentials => ({
  authorization,
  cookie,
});

/** The token is not valid (RFC 6750, 3.1), or its issuer cannot be asked now. */
function sendUnauthenticated(exchange: Exchange, { code, message }: FixativeError): void {
  const unknown = code === 'IDENTITY_UNAVAILABLE';
  const headers: Record<string, string> = unknown
    ? { 'Retry-After': '5' }
    : { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
  sendProblem(exchange, unknown ? 503 : 401, { code, message }, headers);
}
