import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';

/** Returns the metrics in the text format of Prometheus. */
export type Scrape = () => Promise<string>;

/** Answers `GET /metrics`. */
export async function serveMetrics(scrape: Scrape, response: ServerResponse): Promise<void> {
  const text = await scrape();
  response.writeHead(200, {
    'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}

/**
 * Serves `/metrics` without a token on a port of its own.
 * @throws Error EADDRINUSE, EACCES, …
 */
export async function listenForScrapes(
  { host, port }: { readonly host: string; readonly port: number },
  scrape: Scrape,
  log: Pick<Logger, 'warn'>,
): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?', 1)[0] !== '/metrics')
      return void response.writeHead(404).end();
    serveMetrics(scrape, response).catch((error: unknown) => {
      log.warn({ err: error }, 'the metrics could not be read');
      if (response.headersSent) response.destroy();
      else response.writeHead(503).end();
    });
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 50;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  // Scrapes keep no process alive.
  server.unref();
  return server;
}
