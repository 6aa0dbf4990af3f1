import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendHtml, sendJson } from '../response/send.ts';
import { page } from './page.ts';

/** Addresses for programs. They do not depend on any data. */
const ADDRESSES = {
  graphql: '/graphql',
  image: '/images/{uuid}',
  images: '/api/images/generated',
  health: '/health',
  ready: '/ready',
  metrics: '/metrics',
  login: '/login',
} as const;

/**
 * Answers `/`: a page for a browser, the addresses in JSON for a program. It is public, so it shows no
 * version and no figures, and of the state of the server only whether it is ready.
 */
export async function serveHome(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  {
    isReady,
    graphiql,
    hasSession,
  }: { isReady: () => Promise<boolean>; graphiql: boolean; hasSession: boolean },
): Promise<void> {
  const vary = { Vary: 'Accept, Accept-Encoding, Cookie' };
  if (!request.headers.accept?.includes('text/html'))
    return sendJson(response, 200, { name: 'Fixative', ...ADDRESSES }, vary);
  sendHtml(response, 200, home({ isReady: await isReady(), graphiql, hasSession }), vary);
}

function home({
  isReady,
  graphiql,
  hasSession,
}: {
  isReady: boolean;
  graphiql: boolean;
  hasSession: boolean;
}): string {
  return page(`
<p>This server keeps the images of AI products permanent. It generates, receives or fetches an image once, keeps several verified
copies of its bytes, and repairs damaged copies.</p>
<p class="state ${isReady ? 'up">The server is ready.' : 'down">The server is not ready.'} <a href="/ready">Details</a></p>
<dl>${
    graphiql
      ? `
<dt><a href="/graphql">GraphiQL</a></dt><dd>queries in the browser, after you have logged in</dd>`
      : ''
  }
<dt><a href="/login">Log in</a></dt><dd>with the link that the server printed when it started, or with a token</dd>
<dt><code>POST /graphql</code></dt><dd>GraphQL for programs, with <code>Authorization: Bearer &lt;token&gt;</code>; the schema is <code>schema.graphql</code></dd>
<dt><code>/images/{uuid}</code></dt><dd>the bytes of an image</dd>
<dt><code>/api/images/generated</code></dt><dd>a list of images in JSON</dd>
<dt><a href="/health">/health</a>, <a href="/ready">/ready</a></dt><dd>whether the process runs; whether the server is ready</dd>
</dl>
${hasSession ? '<form method="post" action="/logout"><button>Log out</button></form>' : ''}
<p>The documentation is in <code>README.md</code> and <code>docs/</code>, beside the source of this server.</p>`);
}
