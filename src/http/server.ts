import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.ts';
import type { TrafficLimits } from '../config.ts';
import { diskErrorOf } from '../database/pglite/disk-fault.ts';
import type { Services } from '../graphql/context.ts';
import { isReachable } from '../storage/health.ts';
import { makeAdmission } from './admission.ts';
import { type BytesSettings, serveFilename, serveImage } from './bytes/serve-image.ts';
import { servePlainImage } from './bytes/serve-public-image.ts';
import { serveUpload, type UploadsDeps } from './bytes/upload.ts';
import { shareWithOrigin } from './cors.ts';
import { makeHostCheck } from './host-header.ts';
import { serveImageFiles } from './image-list.ts';
import { serveMetrics } from './metrics.ts';
import { type GraphqlOptions, makeGraphqlHandler } from './operations/graphql.ts';
import { serveHome } from './pages/home.ts';
import { makeCompress } from './response/compression.ts';
import { sendProblem } from './response/problem.ts';
import { sendJson } from './response/send.ts';
import { sendUnavailable } from './response/unavailable.ts';
import { makeDrain } from './traffic/drain.ts';
import { lingerAfter } from './traffic/linger.ts';
import { makeTraffic, sendRefusal } from './traffic/traffic.ts';

export interface HttpServer {
  /** `http://127.0.0.1:4000`; known once it listens. */
  readonly address: () => string;
  /** @throws Error EADDRINUSE, EACCES, … */
  listen(host: string, port: number): Promise<void>;
  /** Takes no more connections, ends subscriptions, and ends each connection with its next answer. */
  drain(): void;
  /** The same at once; resolves when the requests under way are answered, or after the given time, when they are cut. */
  close(graceSeconds: number): Promise<void>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const IDLE_SECONDS = 30;
/** Each place of a worker looks for work every thirty seconds at the latest. */
const WORKERS_LATE_SECONDS = 90;

/** What takes generations from the queue. */
export interface Workers {
  /** Seconds since each of them has looked for work; null where this process takes none. */
  secondsSinceLook(): number | null;
}
/** How long the page at `/` says what it has found out. */
const HOME_SECONDS = 5;
/** How long /ready waits for a store that may be away. */
const OPTIONAL_STORE_SECONDS = 0.5;

export function makeHttpServer(deps: {
  services: Services;
  authenticator: Authenticator;
  limits: Omit<GraphqlOptions, 'traffic'> & TrafficLimits;
  uploads: UploadsDeps;
  bytes: BytesSettings;
  /** Takes generations from the queue. */
  workers: Workers;
  log: Logger;
}): HttpServer {
  const { services, authenticator, workers, log } = deps;
  const traffic = makeTraffic(deps.limits, log);
  const graphql = makeGraphqlHandler(services, { ...deps.limits, traffic }, log);
  const { authenticate, admit, logIn, logOut, letIn } = makeAdmission(authenticator, traffic);
  const faultOfHost = makeHostCheck();
  const compress = deps.limits.compression ? makeCompress() : null;
  const bytes = { ...deps.bytes, storage: services.storage, authenticator, log };

  async function route(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const fault = faultOfHost(request);
    if (fault) return sendProblem(exchange, 400, { code: 'BAD_REQUEST', message: fault });
    if (/^websocket$/i.test(request.headers.upgrade ?? '')) return sendNoWebSocket(exchange);
    const { path, search } = parseTarget(request.url ?? '/');
    if (path === '/graphql') {
      const caller = await authenticate(exchange, { page: true });
      if (!caller) return;
      const refusal =
        traffic.takeFromCaller(caller) ?? (hasFiles(request) ? traffic.enterUpload(exchange, caller) : null);
      return refusal ? sendRefusal(exchange, refusal) : graphql(request, response, letIn(request, caller));
    }
    const refusal = path === '/health' ? null : traffic.takeFromAddress(request);
    if (refusal) return sendRefusal(exchange, refusal);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && search === '') {
      const answered = servePlainImage(bytes, exchange, path);
      if (answered === true || (answered && (await answered))) return;
    }
    const found = findRoute(path);
    if (!found) {
      const message = 'There is nothing at this address.';
      return sendProblem(exchange, 404, { code: 'NOT_FOUND', message });
    }
    if (!found.methods.includes(request.method ?? '')) {
      const allow = found.methods.join(', ');
      const message = `Only ${allow} here.`;
      return sendProblem(exchange, 405, { code: 'BAD_REQUEST', message }, { Allow: allow });
    }
    return found.serve(exchange, new URLSearchParams(search));
  }

  interface Route {
    readonly methods: readonly string[];
    readonly serve: (exchange: Exchange, query: URLSearchParams) => Promise<void> | void;
  }
  const READ = ['GET', 'HEAD'];

  /** Addresses without a part of their own. */
  const routes: Readonly<Record<string, Route>> = {
    '/': {
      methods: READ,
      serve: (exchange) =>
        serveHome(exchange, {
          isReady: () => isReady(),
          hasSession: exchange.request.headers.cookie?.includes(authenticator.cookieName) ?? false,
          graphiql: deps.limits.graphiql,
        }),
    },
    '/health': { methods: READ, serve: ({ response }) => sendJson(response, 200, { status: 'alive' }) },
    '/ready': { methods: READ, serve: ({ response }) => serveReady(response) },
    '/metrics': {
      methods: READ,
      async serve(exchange) {
        if (await admit(exchange, '/metrics'))
          await serveMetrics({ ...services, workers }, exchange.response);
      },
    },
    '/login': {
      methods: ['GET', 'HEAD', 'POST'],
      serve: logIn,
    },
    '/logout': { methods: ['POST'], serve: logOut },
    '/api/images/generated': {
      methods: READ,
      async serve(exchange, query) {
        const caller = await admit(exchange, '/api/images/generated');
        if (caller) await serveImageFiles(services, { response: exchange.response, caller }, query);
      },
    },
  };

  function findRoute(path: string): Route | null {
    if (Object.hasOwn(routes, path)) return routes[path] ?? null;
    const [, room, name, ...rest] = path.split('/').map(decode);
    if (!name) return null;
    if (room === 'images' && rest.length <= 1)
      return { methods: READ, serve: (exchange, query) => serveImage(bytes, exchange, { name, query }) };
    if (rest.length > 0) return null;
    if (room === 'generated')
      return { methods: READ, serve: (exchange, query) => serveFilename(bytes, exchange, { name, query }) };
    if (room !== 'uploads') return null;
    return {
      methods: ['PUT'],
      serve(exchange, query) {
        const refusal = traffic.enterUpload(exchange, null);
        if (refusal) return sendRefusal(exchange, refusal);
        return serveUpload(deps.uploads, exchange, { id: name, query });
      },
    };
  }

  /**
   * Ready is: the database and every required store answer. Of the others it is only said; they are not waited for, because whoever asks waits for a
   * second or so. Neither is it unready for workers that do not look for work, nor for a full disk: what is there is served without them.
   */
  async function readiness() {
    const { stores: all, required } = services.storage;
    const asked = all.map(async (store) => {
      const isRequired = required.has(store.name);
      const isThere = await isReachable(store, isRequired ? undefined : OPTIONAL_STORE_SECONDS);
      return { name: store.name, isThere, isRequired };
    });
    const database = await services.database.query('SELECT 1').then(
      () => true,
      () => false,
    );
    const stores = await Promise.all(asked);
    const away = stores.filter(({ isThere }) => !isThere);
    const ready = database && !away.some(({ isRequired }) => isRequired) && !drain.hasBegun;
    return { ready, database, stores };
  }

  /** For a page that anybody may look at: asked anew every five seconds at most. */
  const isReady = makeRemembered(HOME_SECONDS, async () => (await readiness()).ready);

  async function serveReady(response: ServerResponse): Promise<void> {
    const { ready, database, stores } = await readiness();
    const since = workers.secondsSinceLook();
    sendJson(response, ready ? 200 : 503, {
      status: ready ? 'ready' : 'not ready',
      database,
      stores: Object.fromEntries(stores.map(({ name, isThere }) => [name, isThere])),
      required: stores.filter(({ isRequired }) => isRequired).map(({ name }) => name),
      disk: (await services.storage.diskFault()) ?? 'ok',
      ...(since === null ? {} : { workers: since < WORKERS_LATE_SECONDS }),
    });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    lingerAfter(request, response);
    compress?.(request, response);
    if (shareWithOrigin(bytes.sharing.corsOrigins, { request, response })) return;
    // Whoever asks whether the process lives is told so, however much there is to do.
    const refusal = request.url === '/health' ? null : traffic.enter({ request, response });
    if (refusal) return sendRefusal({ request, response }, refusal);
    try {
      await route({ request, response });
    } catch (error) {
      if (!response.headersSent && sendUnavailable({ request, response }, error)) return;
      const id = randomUUID();
      log.error({ id, err: error, method: request.method }, 'a request failed unexpectedly');
      const known = diskErrorOf('The server', error);
      if (response.headersSent) response.destroy();
      else if (known) sendProblem({ request, response }, 503, known, { 'Retry-After': '5' });
      else
        sendProblem({ request, response }, 500, {
          code: 'INTERNAL',
          message: `Unexpected error; the log of the server has it under ${id}.`,
        });
    }
  }

  const drain = makeDrain();
  const { headersTimeoutSeconds, keepAliveTimeoutSeconds, operationTimeoutSeconds, maxConnections } =
    deps.limits;
  const server = createServer(
    {
      headersTimeout: headersTimeoutSeconds * 1000,
      // How long a body may take depends on how long it is (body-pace.ts).
      requestTimeout: 0,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: keepAliveTimeoutSeconds * 1000,
      ServerResponse: drain.Response,
    },
    (request, response) => void handle(request, response),
  );
  server.maxConnections = maxConnections;
  drain.watch(server);
  // A connection over which nothing moves is cut: of one who reads no answer, too. Longer than any operation may keep silent.
  server.timeout = (operationTimeoutSeconds + IDLE_SECONDS) * 1000;
  // Without this, Node would ask a client that waits with its body to send it before anybody knows who it is.
  server.on('checkContinue', (request, response) => void handle(request, response));

  let address: string | undefined;
  return {
    address: () => {
      address ??= addressOf(server.address() as AddressInfo | null);
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
      // What checks the connections ends with this.
      server.close();
    },
  };
}

/** Finds something out, and answers the same for so long. */
function makeRemembered<Value>(seconds: number, find: () => Promise<Value>): () => Promise<Value> {
  let known: { value: Promise<Value>; until: number } | null = null;
  return () => {
    if (known === null || known.until < Date.now())
      known = { value: find(), until: Date.now() + seconds * 1000 };
    return known.value;
  };
}

/** RFC 9110, 15.5.22. */
function sendNoWebSocket(exchange: Exchange): void {
  const message =
    'There are no WebSockets here. Subscriptions go over server-sent events: POST or GET /graphql with Accept: text/event-stream (graphql-sse, EventSource).';
  sendProblem(exchange, 426, { code: 'BAD_REQUEST', message }, { Upgrade: 'HTTP/1.1', Connection: 'close' });
}

/** A part of a path; '' when its escapes are not valid, which is no name of anything. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

/** The path and the query of a request target, in origin form or in absolute form (RFC 9112, 3.2). */
function parseTarget(target: string): { path: string; search: string } {
  const origin = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '') || '/';
  const at = origin.indexOf('?');
  return at < 0 ? { path: origin, search: '' } : { path: origin.slice(0, at), search: origin.slice(at + 1) };
}

const hasFiles = ({ headers }: IncomingMessage) => /^\s*multipart\//i.test(headers['content-type'] ?? '');

function addressOf(address: AddressInfo | null): string {
  if (!address) throw new Error('The server does not listen.');
  // Every address of the machine is none that a link can name.
  if (address.address === '0.0.0.0' || address.address === '::') return `http://localhost:${address.port}`;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
