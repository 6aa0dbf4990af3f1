import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Authenticator, LOGIN_DAYS, type Session } from '../../auth/authenticator.ts';
import { readForm } from '../body/form.ts';
import { page } from '../response/page.ts';
import { sendHtml } from '../response/send.ts';
import { type Refusal, sendRefusal } from '../traffic/refusal.ts';

const MAX_FORM_BYTES = 4096;

/**
 * Answers `GET /login?code=…` (the link that the server prints) and `POST /login` (a form with the root token
 * or an API token, and the page to go on to). GET accepts no token: URLs stay in browser histories, and the
 * link of an attacker would log its reader in to the attacker's account (login CSRF).
 * @param onFailure counts an invalid code or token; returns a refusal after too many.
 */
export async function serveLogin(
  authenticator: Authenticator,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  onFailure: () => Refusal | null,
): Promise<void> {
  const isForm = request.method === 'POST';
  const fields = isForm ? await readForm({ request, response }, MAX_FORM_BYTES) : null;
  const sent = isForm
    ? (fields?.get('token') ?? null)
    : (URL.parse(request.url ?? '/', 'http://localhost')?.searchParams.get('code') ?? null);
  const value = sent?.trim() ?? '';
  const session =
    authenticator.openSessionByCode(value) ??
    (isForm && value !== '' ? await authenticator.openSessionByToken(value) : null);
  const next = fields?.get('next') === 'graphql' ? 'graphql' : './';
  if (!session) {
    const refusal = sent === null ? null : onFailure();
    if (refusal) sendRefusal({ request, response }, refusal);
    else
      sendLoginPage(response, {
        note: sent === null ? '' : isForm ? WRONG_TOKEN : WRONG_LINK,
        hasJwt: authenticator.hasJwt,
        next,
      });
    return;
  }
  // Not a redirect: a browser that comes from another site would not send a SameSite=Strict cookie with it.
  sendHtml(response, 200, loggedIn(next), {
    'Set-Cookie': cookieOf(authenticator, session),
  });
}

/** Answers `POST /logout`: removes the session from the browser. */
export function serveLogout(authenticator: Authenticator, { response }: { response: ServerResponse }): void {
  sendHtml(response, 200, page('<p>You are logged out. <a href="login">Log in again</a></p>'), {
    'Set-Cookie': cookieOf(authenticator, { value: '', seconds: 0 }),
  });
}

const cookieOf = (
  { cookieName, isSecure }: Pick<Authenticator, 'cookieName' | 'isSecure'>,
  { value, seconds }: Session,
) =>
  `${cookieName}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;

/** Address of the page to go on to after the login: GraphiQL or the gallery. */
type Next = 'graphql' | './';

const loggedIn = (next: Next) =>
  page(`<p>You are logged in. <a href="${next}">Go on</a></p>`, { refresh: next });

const WRONG_LINK = `The link is not valid. A link is valid for ${LOGIN_DAYS} days after its server has started.`;
const WRONG_TOKEN = 'The token is unknown, expired or revoked. JWTs are not accepted here; use an API token.';

interface LoginPage {
  /** Message above the form; empty: none. */
  readonly note?: string;
  /** Whether the server accepts JWTs of an identity provider. */
  readonly hasJwt: boolean;
  /** Page to go on to after the login. Default: the gallery. */
  readonly next?: Next;
}

/** Sends the login page, with status 401. */
export function sendLoginPage(response: ServerResponse, { note = '', hasJwt, next = './' }: LoginPage): void {
  sendHtml(
    response,
    401,
    page(`${note ? `<p class="note" role="alert">${note}</p>` : ''}
<p>Open the link that the server printed when it started, or paste an API token or the root token.</p>${hasJwt ? JWT_NOTE : ''}
<form method="post" action="login"><input type="hidden" name="next" value="${next}">
<label>Token<input name="token" type="password" autocomplete="current-password" required autofocus></label>
<button>Log in</button></form>
<p class="soft">The root token is <code>FIXATIVE_ROOT_TOKEN</code>, or the file <code>root-token</code> in <code>DATA_DIR</code>. An
administrator makes API tokens for others: a token of a user shows only the images of that user.</p>`),
    // With `no-referrer` a browser sends `Origin: null` with the form, and over plain http nothing else names
    // the page.
    { 'Referrer-Policy': 'same-origin' },
  );
}

const JWT_NOTE = `
<p>The users of this server log in at its identity provider. Their application sends the provider’s JWT with each request;
this page does not accept it. To look around here, ask an administrator of this server for an API token.</p>`;
