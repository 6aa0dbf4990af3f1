import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Exchange } from '../exchange.ts';
import { page } from '../response/page.ts';
import { sendProblem } from '../response/problem.ts';
import { sendHtml } from '../response/send.ts';
import { readBuiltFiles, sendBuiltFile } from './built-files.ts';

/** Paths of the pages of the gallery. The browser chooses by the path what to show. */
export const WEB_PATHS = [
  '/make',
  '/upload',
  '/overview',
  '/stores',
  '/tokens',
  '/audit',
  '/retention',
  '/webhooks',
  '/trash',
] as const;

/** Path of the page of one image; its uuid follows. */
export const WEB_IMAGE_PATH = '/image';

/** Paths of RobustImage and its types, for pages of every origin. */
export const MODULE_PATHS = [
  '/robust-image.js',
  '/robust-image-react.js',
  '/robust-image.d.ts',
  '/robust-image-react.d.ts',
] as const;

/** Path of the page of examples of RobustImage. */
export const EXAMPLES_PATH = '/robust-image';

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
  serveAsset(exchange: Exchange, search: string, name: string): Promise<void>;
  /** Serves a module for the pages of other origins, or its types. */
  serveModule(exchange: Exchange): Promise<void>;
}

/** Serves the built gallery. Without it, `servePage` sends a page that names the command that builds it. */
export function makeWeb({ directory, publicUrl }: WebDeps): Web {
  const html = readPage(directory, 'index.html');
  const examples = readPage(directory, 'robust-image.html');
  const files = readBuiltFiles(directory);

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
  /** Serves a file of the build. @param name its path in the directory of the build. */
  async function sendFile(exchange: Exchange, name: string, headers: Record<string, string>): Promise<void> {
    const file = files.get(name);
    if (file) await sendBuiltFile(exchange, file, headers);
    else sendProblem(exchange, 404, { code: 'NOT_FOUND', message: 'There is nothing at this path.' });
  }

  return {
    servePage: (exchange) => sendPage(exchange, html),
    serveExamples: (exchange) => sendPage(exchange, examples),
    serveAsset: (exchange, _search, name) => sendFile(exchange, `assets/${name}`, ASSET_HEADERS),
    serveModule: (exchange) =>
      sendFile(exchange, (exchange.request.url ?? '').replace(/^.*\/|\?.*$/g, ''), MODULE_HEADERS),
  };
}

/** Headers of files whose names contain the hash of their content. */
const ASSET_HEADERS = {
  'Cache-Control': 'public, max-age=31536000, immutable',
  Vary: 'Accept-Encoding',
};

/** Headers of modules for other origins. A new version has the same address, so caches ask after an hour. */
const MODULE_HEADERS = {
  'Cache-Control': 'public, max-age=3600',
  Vary: 'Accept-Encoding, Origin',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};

/** Element of the built page that gets the path of PUBLIC_URL. */
const BASE = '<base href="/" />';

/** Returns the path that a reverse proxy strips. It starts and ends with `/`. */
export const basePathOf = (publicUrl: string): string => `${new URL(publicUrl).pathname.replace(/\/$/, '')}/`;

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
