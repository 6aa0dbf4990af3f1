import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Authenticator, LOGIN_DAYS, type Session } from '../../auth/authenticator.ts';
import { readForm } from '../body/form.ts';
import { sendHtml } from '../response/send.ts';
import { type Refusal, sendRefusal } from '../traffic/refusal.ts';
import { page } from './page.ts';

const MAX_FORM_BYTES = 4096;

/**
 * Answers `GET /login?code=…` (the link that the server prints) and `POST /login` (a form with the root token
 * or an API token). GET accepts no token: URLs stay in browser histories, and the link of an attacker would
 * log its reader in to the attacker's account (login CSRF).
 * @param onFailure counts an invalid code or token; returns a refusal after too many.
 */
export async function serveLogin(
  authenticator: Authenticator,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  onFailure: () => Refusal | null,
): Promise<void> {
  const isForm = request.method === 'POST';
  const sent = isForm
    ? ((await readForm({ request, response }, MAX_FORM_BYTES))?.get('token') ?? null)
    : (URL.parse(request.url ?? '/', 'http://localhost')?.searchParams.get('code') ?? null);
  const value = sent?.trim() ?? '';
  const session =
    authenticator.openSessionByCode(value) ??
    (isForm && value !== '' ? await authenticator.openSessionByToken(value) : null);
  if (!session) {
    const refusal = sent === null ? null : onFailure();
    if (refusal) sendRefusal({ request, response }, refusal);
    else sendLoginPage(response, sent === null ? '' : isForm ? WRONG_TOKEN : WRONG_LINK);
    return;
  }
  // Not a redirect: a browser that comes from another site would not send a SameSite=Strict cookie with it.
  sendHtml(
    response,
    200,
    page('<p>You are logged in. <a href="/graphql">Open GraphiQL</a></p>', { refresh: '/graphql' }),
    { 'Set-Cookie': cookieOf(authenticator, session) },
  );
}

/** Answers `POST /logout`: removes the session from the browser. */
export function serveLogout(authenticator: Authenticator, { response }: { response: ServerResponse }): void {
  sendHtml(response, 200, page('<p>You are logged out. <a href="/login">Log in</a></p>'), {
    'Set-Cookie': cookieOf(authenticator, { value: '', seconds: 0 }),
  });
}

const cookieOf = (
  { cookieName, isSecure }: Pick<Authenticator, 'cookieName' | 'isSecure'>,
  { value, seconds }: Session,
) =>
  `${cookieName}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;

const WRONG_LINK = `The link is not valid. A link is valid for ${LOGIN_DAYS} days after its server has started.`;
const WRONG_TOKEN = 'The token is unknown, expired or revoked. JWTs are not accepted here; use an API token.';

/** Sends the login page, with status 401. @param note message above the form; empty: none. */
export function sendLoginPage(response: ServerResponse, note: string): void {
  sendHtml(
    response,
    401,
    page(`${note ? `<p class="note">${note}</p>` : ''}
<p>Open the link that the server printed when it started, or paste an API token
or the root token (<code>FIXATIVE_ROOT_TOKEN</code>, or the file <code>root-token</code> in <code>DATA_DIR</code>).</p>
<form method="post" action="/login">
<input name="token" type="password" autocomplete="current-password" aria-label="Token" required autofocus>
<button>Log in</button></form>`),
    // With `no-referrer` a browser sends `Origin: null` with the form, and over plain http nothing else names
    // the page.
    { 'Referrer-Policy': 'same-origin' },
  );
}
