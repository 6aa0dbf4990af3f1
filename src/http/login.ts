import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Authenticator, LOGIN_DAYS, SESSION_COOKIE, SESSION_SECONDS } from '../auth/authenticator.ts';
import { sendHtml } from './answer.ts';
import { begin } from './request-body.ts';

const MAX_FORM_BYTES = 4096;

/** `GET /login?code=…` (the link that the server prints) and `POST /login` (a form with the token). */
export async function serveLogin(
  authenticator: Authenticator,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  options: { secure: boolean },
): Promise<void> {
  const given =
    request.method === 'POST'
      ? new URLSearchParams(await readForm(request, response)).get('token')
      : (URL.parse(request.url ?? '/', 'http://localhost')?.searchParams.get('code') ?? null);
  const session = given && authenticator.openSession(given.trim());
  if (!session) {
    sendLoginPage(
      response,
      given ? `That is not valid. A link is good for ${LOGIN_DAYS} days from the start of its server.` : '',
    );
    return;
  }
  const cookie = `${SESSION_COOKIE}=${session}; Path=/; Max-Age=${SESSION_SECONDS}; HttpOnly; SameSite=Strict${options.secure ? '; Secure' : ''}`;
  // A page and not a redirect: a browser that came here from elsewhere would not send a SameSite=Strict cookie along with one.
  sendHtml(
    response,
    200,
    page('<p>You are logged in. <a href="/graphql">Open GraphiQL</a></p>', 'url=/graphql'),
    {
      'Set-Cookie': cookie,
    },
  );
}

/** For a browser that is not logged in. */
export function sendLoginPage(response: ServerResponse, note: string): void {
  sendHtml(
    response,
    401,
    page(`${note ? `<p class="note">${note}</p>` : ''}
<p>Open the link that the server printed when it started, or paste its root token
(<code>FIXATIVE_ROOT_TOKEN</code>, or the file <code>root-token</code> in <code>DATA_DIR</code>).</p>
<form method="post" action="/login">
<input name="token" type="password" autocomplete="current-password" aria-label="Root token" required autofocus>
<button>Log in</button></form>`),
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

function page(body: string, refresh?: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Fixative</title>
<meta name="viewport" content="width=device-width, initial-scale=1">${refresh ? `<meta http-equiv="refresh" content="0;${refresh}">` : ''}
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color:#222}
h1{font-weight:600}input{font:inherit;padding:.5rem;width:65%}button{font:inherit;padding:.5rem 1rem}.note{color:#a00}
@media(prefers-color-scheme:dark){body{background:#1b1b1f;color:#ddd}a{color:#9cf}}</style></head>
<body><h1>Fixative</h1>${body}</body></html>
`;
}
