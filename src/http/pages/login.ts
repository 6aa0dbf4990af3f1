import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Authenticator, LOGIN_DAYS, type Session } from '../../auth/authenticator.ts';
import { begin } from '../body/request-body.ts';
import { sendHtml } from '../response/send.ts';
import { type Refusal, sendRefusal } from '../traffic/refusal.ts';
import { page } from './page.ts';

const MAX_FORM_BYTES = 4096;

/**
 * `GET /login?code=…` (the link that the server prints) and `POST /login` (a form with the root token or an API token). GET accepts no token: URLs
 * stay in browser histories, and a link of an attacker would log its reader in to the attacker's account (login CSRF).
 * @param onFailure is told of what is not valid. It may refuse to take more.
 */
export async function serveLogin(
  authenticator: Authenticator,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  onFailure: () => Refusal | null,
): Promise<void> {
  const isForm = request.method === 'POST';
  const given = isForm
    ? new URLSearchParams(await readForm(request, response)).get('token')
    : (URL.parse(request.url ?? '/', 'http://localhost')?.searchParams.get('code') ?? null);
  const value = given?.trim() ?? '';
  const session =
    authenticator.openSessionByCode(value) ??
    (isForm && value !== '' ? await authenticator.openSessionByToken(value) : null);
  if (!session) {
    const refusal = given === null ? null : onFailure();
    if (refusal) sendRefusal({ request, response }, refusal);
    else sendLoginPage(response, given === null ? '' : isForm ? WRONG_TOKEN : WRONG_LINK);
    return;
  }
  // A page and not a redirect: a browser that came here from elsewhere would not send a SameSite=Strict cookie along with one.
  sendHtml(
    response,
    200,
    page('<p>You are logged in. <a href="/graphql">Open GraphiQL</a></p>', { refresh: '/graphql' }),
    { 'Set-Cookie': cookieOf(authenticator, session) },
  );
}

/** `POST /logout`: the browser forgets its session. */
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

const WRONG_LINK = `The link is not valid. It is good for ${LOGIN_DAYS} days from the start of its server.`;
const WRONG_TOKEN = 'The token is unknown, expired or revoked. JWTs are not accepted here; use an API token.';

/** For a browser that is not logged in. */
export function sendLoginPage(response: ServerResponse, note: string): void {
  sendHtml(
    response,
    401,
    page(`${note ? `<p class="note">${note}</p>` : ''}
<p>Open the link that the server printed when it started, or paste a token: an API token, which allows here what it allows elsewhere,
or the root token (<code>FIXATIVE_ROOT_TOKEN</code>, or the file <code>root-token</code> in <code>DATA_DIR</code>).</p>
<form method="post" action="/login">
<input name="token" type="password" autocomplete="current-password" aria-label="Token" required autofocus>
<button>Log in</button></form>`),
    // Under `no-referrer` a browser sends `Origin: null` along with the form, and to plain http nothing else that says whose page it is.
    { 'Referrer-Policy': 'same-origin' },
  );
}

async function readForm(request: IncomingMessage, response: ServerResponse): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_FORM_BYTES) return '';
  begin(request, response);
  let text = '';
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      text += chunk;
      if (text.length > MAX_FORM_BYTES) return '';
    }
  } catch {
    // Whoever breaks off asks for nothing.
    return '';
  }
  return text;
}
