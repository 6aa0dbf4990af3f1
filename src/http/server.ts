import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.ts';
import type { TrafficLimits } from '../config.ts';
import { diskErrorOf } from '../database/pglite/disk-fault.ts';
import type { Services } from '../graphql/context.ts';
import type { Observers } from '../observers.ts';
import { makeAdmission } from './admission.ts';
import type { BytesSettings } from './bytes/serve-image.ts';
import type { UploadsDeps } from './bytes/upload.ts';
import { shareWithOrigin } from './cors.ts';
import type { Exchange } from './exchange.ts';
import { counted, traced } from './observe-request.ts';
import { type GraphqlOptions, makeGraphqlHandler } from './operations/graphql.ts';
import { makeWeb } from './pages/web.ts';
import type { Workers } from './readiness.ts';
import { makeCompress } from './response/compression.ts';
import { sendProblem } from './response/problem.ts';
import { sendUnavailable } from './response/unavailable.ts';
import { makeRouter, type Router } from './routes.ts';
import { type Drain, makeDrain } from './traffic/drain.ts';
import { lingerAfter } from './traffic/linger.ts';
import { sendRefusal } from './traffic/refusal.ts';
import { makeTraffic, type Traffic } from './traffic/traffic.ts';

export interface HttpServer {
  /** URL such as `http://127.0.0.1:4000`; known once the server listens. */
  readonly address: () => string;
  /** @throws Error EADDRINUSE, EACCES, … */
  listen(host: string, port: number): Promise<void>;
  /** Returns what is in progress now, and how busy the process is. */
  load(): ReturnType<Traffic['load']>;
  /** Accepts no more connections, ends subscriptions, and closes each connection with its next response. */
  drain(): void;
  /** Drains at once. Resolves when no request is in progress. Cuts what is left after the given time. */
  close(graceSeconds: number): Promise<void>;
}

export interface HttpServerDeps extends Observers {
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly limits: Omit<GraphqlOptions, 'traffic' | 'observers'> & TrafficLimits;
  readonly uploads: UploadsDeps;
  readonly bytes: BytesSettings;
  readonly workers: Workers;
  /** Directory of the built gallery. */
  readonly webDirectory: string;
  /** Returns the metrics of all processes of this server as text. */
  readonly scrape: () => Promise<string>;
  readonly dataDirectory: string;
  readonly log: Logger;
}

/** Seconds beyond the operation timeout after which a connection that transfers nothing is cut. */
const IDLE_SECONDS = 30;

export function makeHttpServer(deps: HttpServerDeps): HttpServer {
  const { services, limits, log } = deps;
  const traffic = makeTraffic(limits, log);
  const drain = makeDrain();
  const server = makeNodeServer(limits, drain, makeHandler(deps, traffic, drain));
  let address: string | undefined;
  return {
    address: () => {
      address ??= urlOf(server.address() as AddressInfo | null);
      return address;
    },
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      }),
    load: traffic.load,
    drain() {
      void drain.begin(server);
      services.imageEvents.end();
    },
    async close(graceSeconds) {
      const ended = drain.begin(server, 0);
      services.imageEvents.end();
      const timer = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
      await ended;
      clearTimeout(timer);
      traffic.stop();
      // Ends the timer that checks the connections.
      server.close();
    },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

function makeNodeServer(limits: HttpServerDeps['limits'], drain: Drain, handle: Handler): Server {
  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutSeconds * 1000,
      // The time for a body depends on its length (body-pace.ts).
      requestTimeout: 0,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: limits.keepAliveTimeoutSeconds * 1000,
      ServerResponse: drain.Response,
    },
    handle,
  );
  server.maxConnections = limits.maxConnections;
  drain.watch(server);
  // Cuts a connection that transfers nothing, such as that of a client that does not read. No operation is
  // silent for so long.
  server.timeout = (limits.operationTimeoutSeconds + IDLE_SECONDS) * 1000;
  // By default, Node asks a waiting client to send its body before the client is authenticated.
  server.on('checkContinue', handle);
  return server;
}

function makeHandler(deps: HttpServerDeps, traffic: Traffic, drain: Drain): Handler {
  const { services, authenticator, limits, metrics, tracing, log } = deps;
  const { corsOrigins } = deps.bytes.sharing;
  const compress = limits.compression ? makeCompress() : null;
  const router = makeRouter({
    services,
    admission: makeAdmission(authenticator, traffic),
    traffic,
    graphql: makeGraphqlHandler(services, { ...limits, traffic, observers: deps }, log),
    web: makeWeb({ directory: deps.webDirectory, publicUrl: deps.bytes.sharing.publicUrl }),
    bytes: { ...deps.bytes, storage: services.storage, authenticator, log },
    uploads: deps.uploads,
    workers: deps.workers,
    scrape: deps.scrape,
    dataDirectory: deps.dataDirectory,
    isDraining: () => drain.hasBegun,
  });
  const handle: Handler = (request, response) => {
    lingerAfter(request, response);
    compress?.(request, response);
    const exchange = { request, response };
    if (shareWithOrigin(corsOrigins, router.sharedTargets, exchange)) return;
    // A probe of the process is answered under any load.
    const refusal = request.url === '/health' ? null : traffic.enter(exchange);
    if (refusal) sendRefusal(exchange, refusal);
    else void serveRequest(router, exchange, log);
  };
  const observed = counted(metrics, router.routeOf, handle);
  return tracing ? traced(tracing, router.routeOf, observed) : observed;
}

async function serveRequest(router: Router, exchange: Exchange, log: Logger): Promise<void> {
  try {
    await router.route(exchange);
  } catch (error) {
    sendUnexpected(exchange, error, log);
  }
}

/** Answers a request that failed without a response, and logs the error. */
function sendUnexpected(exchange: Exchange, error: unknown, log: Logger): void {
  const { request, response } = exchange;
  if (!response.headersSent && sendUnavailable(exchange, error)) return;
  const id = randomUUID();
  log.error({ id, err: error, method: request.method }, 'a request failed unexpectedly');
  const known = diskErrorOf('The server', error);
  if (response.headersSent) response.destroy();
  else if (known) sendProblem(exchange, 503, known, { 'Retry-After': '5' });
  else {
    const message = `Unexpected error. The log of the server has it under ${id}.`;
    sendProblem(exchange, 500, { code: 'INTERNAL', message });
  }
}

function urlOf(address: AddressInfo | null): string {
  if (!address) throw new Error('The server does not listen.');
  // A link cannot name "all addresses".
  if (address.address === '0.0.0.0' || address.address === '::') return `http://localhost:${address.port}`;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
