import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import type { Readable } from 'node:stream';
import sirv from 'sirv';
import type { Exchange } from '../exchange.ts';
import { page } from '../response/page.ts';
import { sendProblem } from '../response/problem.ts';
import { sendHtml } from '../response/send.ts';
import { readModules, sendModule } from './modules.ts';

/** Paths of the pages of the gallery. The browser chooses by the path what to show. */
export const WEB_PATHS = ['/make', '/upload', '/overview', '/stores', '/tokens', '/trash'] as const;

/** Path of the page of one image; its uuid follows. */
export const WEB_IMAGE_PATH = '/image';

/** Path of the scripts and styles of the gallery. Their names contain the hash of their content. */
export const WEB_ASSETS_PATH = '/assets';

export interface WebDeps {
  /** Directory that `npm run build` writes. */
  readonly directory: string;
  /** URL of the server for clients. A reverse proxy strips its path. */
  readonly publicUrl: () => string;
}

export interface Web {
  /** Serves the page of the gallery. */
  servePage(exchange: Exchange): void;
  /** Serves the page of examples of RobustImage. */
  serveExamples(exchange: Exchange): void;
  /** Serves a script or a style of the gallery. */
  serveAsset(exchange: Exchange): void;
  /** Serves a module for the pages of other origins, or its types. */
  serveModule(exchange: Exchange): void;
}

/** Serves the built gallery. Without it, `servePage` sends a page that names the command that builds it. */
export function makeWeb({ directory, publicUrl }: WebDeps): Web {
  const html = readPage(directory, 'index.html');
  const examples = readPage(directory, 'robust-image.html');
  // Without the build there is no directory to serve.
  const assets = html === null ? null : serveDirectory(directory);
  const modules = readModules(directory);

  function sendPage({ response }: Exchange, text: string | null): void {
    const base = basePathOf(publicUrl());
    if (text === null) sendHtml(response, 503, page(NOT_BUILT, { base }));
    else
      sendHtml(
        response,
        200,
        text.replace(BASE, () => `<base href="${base}" />`),
        {
          'Content-Security-Policy': policyOf(publicUrl()),
          'Cache-Control': 'no-cache',
          Vary: 'Accept, Accept-Encoding',
          'Referrer-Policy': 'same-origin',
        },
      );
  }
  const sendNotFound = (exchange: Exchange) =>
    sendProblem(exchange, 404, { code: 'NOT_FOUND', message: 'There is nothing at this path.' });

  return {
    servePage: (exchange) => sendPage(exchange, html),
    serveExamples: (exchange) => sendPage(exchange, examples),
    serveAsset(exchange) {
      const { request, response } = exchange;
      // sirv throws for a range that ends before it begins. Browsers ask for none here.
      delete request.headers.range;
      closeWithResponse(response);
      if (assets) assets(request, response, () => sendNotFound(exchange));
      else sendNotFound(exchange);
    },
    serveModule(exchange) {
      const module = modules.get((exchange.request.url ?? '').replace(/^.*\/|\?.*$/g, ''));
      if (module) sendModule(exchange, module);
      else sendNotFound(exchange);
    },
  };
}

/** Element of the built page that gets the path of PUBLIC_URL. */
const BASE = '<base href="/" />';

/** Returns the path that a reverse proxy strips. It starts and ends with `/`. */
export const basePathOf = (publicUrl: string): string => `${new URL(publicUrl).pathname.replace(/\/$/, '')}/`;

/** Serves files from a directory that does not change, compressed where the build compressed them. */
const serveDirectory = (directory: string) =>
  sirv(directory, {
    brotli: true,
    gzip: true,
    etag: true,
    immutable: true,
    maxAge: 365 * 24 * 60 * 60,
    setHeaders: (response) => {
      response.setHeader('X-Content-Type-Options', 'nosniff');
    },
  });

/**
 * Closes the file that sirv pipes into a response when the client hangs up, and ends the response when the
 * file cannot be read: another build may have replaced it. sirv does neither.
 */
function closeWithResponse(response: ServerResponse): void {
  response.once('pipe', (file: Readable) => {
    file.once('error', () => response.destroy());
    response.once('close', () => file.destroy());
  });
}

/** Returns the page; null: the gallery is not built. */
function readPage(directory: string, name: string): string | null {
  try {
    return readFileSync(path.join(directory, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Returns the Content-Security-Policy of the gallery: nothing from another origin but images of PUBLIC_URL,
 * no inline scripts or styles. Placeholders are `data:` images; painted masks and chosen files are `blob:`.
 */
const policyOf = (publicUrl: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' data: blob: ${new URL(publicUrl).origin}`,
    "connect-src 'self' blob:",
    "font-src 'self'",
    "form-action 'self'",
    "base-uri 'self'",
    "frame-ancestors 'none'",
  ].join('; ');

const NOT_BUILT = `
<p>The pages of the gallery are not built. Run <code>npm run build</code> in the directory of this server, then start it
again. <code>npm ci</code> builds them too.</p>
<p>The API works without them: <a href="graphql">open GraphiQL</a>.</p>`;
