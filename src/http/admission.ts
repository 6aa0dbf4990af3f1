import type { IncomingMessage } from 'node:http';
import type { Authenticator, Credentials } from '../auth/authenticator.ts';
import { allows, ROUTE_SCOPES } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import { FixativeError } from '../errors.ts';
import { isOwnPage } from './csrf.ts';
import type { Exchange } from './exchange.ts';
import type { Authorized } from './operations/graphql.ts';
import { sendLoginPage, serveLogin, serveLogout } from './pages/login.ts';
import { sendProblem } from './response/problem.ts';
import { sendRefusal } from './traffic/refusal.ts';
import type { Traffic } from './traffic/traffic.ts';

/** Authenticates requests. A method that returns null has answered the request. */
export interface Admission {
  /**
   * Returns the caller, before the body is read.
   * @param options.page whether browsers get the login page, which leads back to GraphiQL
   */
  authenticate(exchange: Exchange, options: { page: boolean }): Promise<Caller | null>;
  /** Returns the caller if it has the scope of the path. */
  admit(exchange: Exchange, path: keyof typeof ROUTE_SCOPES): Promise<Caller | null>;
  /** Answers `/login`. Failures count against the rate limit of the address. */
  logIn(exchange: Exchange): Promise<void>;
  /** Answers `/logout`. */
  logOut(exchange: Exchange): void;
  /** Returns a check of whether the credentials still belong to the caller. They may be revoked. */
  letIn(request: IncomingMessage, caller: Caller): Authorized;
}

type FailureLimits = Pick<Traffic, 'hasFailed' | 'takeFailure'>;

export function makeAdmission(authenticator: Authenticator, traffic: FailureLimits): Admission {
  const authenticate = makeAuthenticate(authenticator, traffic);
  return {
    authenticate,
    admit: makeAdmit(authenticate),
    logIn: makeLogIn(authenticator, traffic),
    logOut(exchange) {
      if (!refuseOtherPage(exchange)) serveLogout(authenticator, exchange);
    },
    letIn: (request, caller) => authorizedBy(authenticator, credentialsOf(request), caller),
  };
}

function makeAuthenticate(authenticator: Authenticator, traffic: FailureLimits): Admission['authenticate'] {
  return async (exchange, { page }) => {
    const { request } = exchange;
    // Before any look-up: an address with too many failures is refused.
    const full = traffic.hasFailed(request);
    if (full) {
      sendRefusal(exchange, full);
      return null;
    }
    let caller: Caller | null;
    try {
      caller = await authenticator.authenticate(credentialsOf(request));
    } catch (error) {
      if (!(error instanceof FixativeError)) throw error;
      const refusal = traffic.takeFailure(request);
      if (refusal) sendRefusal(exchange, refusal);
      else sendInvalidToken(exchange, error);
      return null;
    }
    if (caller && isOwnPage(request)) return caller;
    if (caller) {
      const message = 'A session is valid for pages of this server only.';
      sendProblem(exchange, 403, { code: 'FORBIDDEN', message });
      return null;
    }
    const refusal = traffic.takeFailure(request);
    if (refusal) sendRefusal(exchange, refusal);
    else if (page && asksForPage(request))
      sendLoginPage(exchange.response, { hasJwt: authenticator.hasJwt, next: 'graphql' });
    else sendNoCredentials(exchange);
    return null;
  };
}

const asksForPage = ({ method, headers }: IncomingMessage) =>
  method === 'GET' && (headers.accept?.includes('text/html') ?? false);

function sendNoCredentials(exchange: Exchange): void {
  const message =
    'Send a token: Authorization: Bearer <token>. The root token is FIXATIVE_ROOT_TOKEN, or in DATA_DIR/root-token.';
  const challenge = { 'WWW-Authenticate': 'Bearer realm="fixative"' };
  sendProblem(exchange, 401, { code: 'UNAUTHENTICATED', message }, challenge);
}

/** Answers that the token is not valid (RFC 6750, 3.1), or that its issuer cannot be reached now. */
function sendInvalidToken(exchange: Exchange, { code, message }: FixativeError): void {
  const unknown = code === 'IDENTITY_UNAVAILABLE';
  const headers: Record<string, string> = unknown
    ? { 'Retry-After': '5' }
    : { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
  sendProblem(exchange, unknown ? 503 : 401, { code, message }, headers);
}

function makeAdmit(authenticate: Admission['authenticate']): Admission['admit'] {
  return async (exchange, path) => {
    const caller = await authenticate(exchange, { page: false });
    const scope = ROUTE_SCOPES[path];
    if (caller === null || allows(caller, scope)) return caller;
    sendProblem(
      exchange,
      403,
      { code: 'FORBIDDEN', message: `The token lacks the scope ${scope}.` },
      { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    );
    return null;
  };
}

function makeLogIn(authenticator: Authenticator, traffic: FailureLimits): Admission['logIn'] {
  return async (exchange) => {
    const { request } = exchange;
    const full = traffic.hasFailed(request);
    if (full) return sendRefusal(exchange, full);
    if (refuseOtherPage(exchange)) return;
    await serveLogin(authenticator, exchange, () => traffic.takeFailure(request));
  };
}

/** Refuses a request that a page of another origin sent. Returns whether it was refused. */
function refuseOtherPage(exchange: Exchange): boolean {
  if (isOwnPage(exchange.request)) return false;
  const message = 'Only pages of this server may log a browser in or out.';
  sendProblem(exchange, 403, { code: 'FORBIDDEN', message });
  return true;
}

function authorizedBy(authenticator: Authenticator, credentials: Credentials, caller: Caller): Authorized {
  const isStillAuthorized = () =>
    authenticator.authenticate(credentials).then(
      (now) => now?.userId === caller.userId,
      (error) => {
        // While the issuer cannot be reached the token may still be valid. The subscription ends, and its
        // client reconnects.
        if (error instanceof FixativeError && error.code === 'UNAUTHENTICATED') return false;
        throw error;
      },
    );
  return { caller, isStillAuthorized };
}

const credentialsOf = ({ headers: { authorization, cookie } }: IncomingMessage): Credentials => ({
  authorization,
  cookie,
});
