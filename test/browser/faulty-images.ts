/** A server of images with faults, and a page with a strict Content-Security-Policy that shows them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { buildRobustImage } from '../../src/web/robust-image/build.ts';

/** Policy of the pages of our own server, without the addresses of images. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'self'",
].join('; ');

/** Gives `robustImage` to the scripts of the tests. */
const PLAIN = `import { robustImage } from '/robust-image.js'; Object.assign(window, { robustImage });`;

/** Page that shows elements before its first paint, as docs/clients.md says. */
const page = (markup: string) => `<!doctype html><html lang="en"><head><title>Images</title>
<script type="module" async blocking="render" src="/robust-image.js"></script>
<script type="module" src="/plain.js"></script>
</head><body><div id="images">${markup}</div><p id="below">below</p></body></html>`;

export interface FaultyImages {
  readonly url: string;
  /** Requests of images since `forget`: method and path with query. */
  readonly seen: string[];
  forget(): void;
  close(): Promise<void>;
}

/**
 * Serves `/fails/N/NAME` (503 for the first N requests of NAME), `/status/N/NAME`, `/slow/MILLISECONDS/NAME`,
 * `/text/NAME` (no picture), `/signed/NAME?expires=…&signature=…` (404 after its end) and
 * `/images/UUID?w=…` (422 with `w`).
 * @param scripts more modules, by path.
 */
export async function serveFaultyImages(
  picture: Buffer,
  scripts: Readonly<Record<string, string>> = {},
): Promise<FaultyImages> {
  const built = (await buildRobustImage()).map(({ fileName, source }) => [`/${fileName}`, source] as const);
  const modules = new Map([...built, ['/plain.js', PLAIN], ...Object.entries(scripts)]);
  const seen: string[] = [];
  const counts = new Map<string, number>();

  async function serveImage(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const [, kind = '', argument = '', name = ''] = url.pathname.split('/');
    if (!/^(fails|status|slow|text|signed|images)$/.test(kind)) return send(response, 404);
    seen.push(`${request.method} ${url.pathname}${url.search}`);
    if (kind === 'text') return send(response, 200, 'text/plain', 'no picture');
    if (kind === 'status') return send(response, Number(argument));
    if (kind === 'fails') {
      const count = (counts.get(name) ?? 0) + (request.method === 'GET' ? 1 : 0);
      counts.set(name, count);
      if (count <= Number(argument)) return send(response, 503);
    }
    if (kind === 'slow') await new Promise((resolve) => setTimeout(resolve, Number(argument)));
    if (kind === 'signed' && Number(url.searchParams.get('expires')) * 1000 <= Date.now())
      return send(response, 404);
    if (kind === 'images' && url.searchParams.has('w')) return send(response, 422);
    send(response, 200, 'image/png', picture);
  }

  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const module = modules.get(path);
    if (module !== undefined) return send(response, 200, 'text/javascript', module);
    if (path === '/page') {
      response.setHeader('content-security-policy', POLICY);
      const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
      return send(response, 200, 'text/html', page(searchParams.get('markup') ?? ''));
    }
    void serveImage(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    forget: () => void seen.splice(0),
    close: () => closed(server),
  };
}

function send(response: ServerResponse, status: number, type = 'text/plain', body: string | Uint8Array = '') {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Observations of a page: violations of its policy, and the sum of its layout shifts. */
export interface Noticed {
  violations: string[];
  shift: number;
}

/** Watches a page from its first moment. Call it before `goto`. */
export async function watch(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const noticed: Noticed = { violations: [], shift: 0 };
    Object.assign(window, { noticed });
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      noticed.violations.push(`${violatedDirective} ${blockedURI}`),
    );
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) noticed.shift += (entry as unknown as { value: number }).value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
}

export const noticedBy = (page: Page): Promise<Noticed> =>
  page.evaluate(
    () =>
      new Promise<Noticed>((resolve) =>
        requestAnimationFrame(() =>
          setTimeout(() => resolve((window as unknown as { noticed: Noticed }).noticed), 100),
        ),
      ),
  );
