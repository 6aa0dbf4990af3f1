/** The routes of the server, and how a request finds its route. */
import type { IncomingMessage } from 'node:http';
import type { ROUTE_SCOPES } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import type { Services } from '../graphql/context.ts';
import type { Admission } from './admission.ts';
import { type BytesDeps, serveFilename, serveImage } from './bytes/serve-image.ts';
import { servePlainImage } from './bytes/serve-public-image.ts';
import { serveZip } from './bytes/serve-zip.ts';
import { serveUpload, type UploadsDeps } from './bytes/upload.ts';
import type { Exchange } from './exchange.ts';
import { makeHostCheck } from './host-header.ts';
import { serveImageFiles } from './image-list.ts';
import type { GraphqlHandler } from './operations/graphql.ts';
import { serveHome } from './pages/home.ts';
import {
  EXAMPLES_PATH,
  MODULE_PATHS,
  WEB_ASSETS_PATH,
  WEB_IMAGE_PATH,
  WEB_PATHS,
  type Web,
} from './pages/web.ts';
import { serveReady, type Workers } from './readiness.ts';
import { sendProblem } from './response/problem.ts';
import { sendJson } from './response/send.ts';
import { serveBackup } from './serve-backup.ts';
import { serveMetrics } from './serve-metrics.ts';
import { sendRefusal } from './traffic/refusal.ts';
import type { Traffic } from './traffic/traffic.ts';

export interface RouteDeps {
  readonly services: Services;
  readonly admission: Admission;
  readonly traffic: Traffic;
  readonly graphql: GraphqlHandler;
  readonly web: Web;
  readonly bytes: BytesDeps;
  readonly uploads: UploadsDeps;
  readonly workers: Workers;
  readonly isDraining: () => boolean;
  readonly scrape: () => Promise<string>;
  readonly dataDirectory: string;
}

interface Route {
  readonly path: string;
  /** Most segments that may follow the path. The first one names an image or an upload. Default: 0. */
  readonly segments?: 1 | 2;
  /** null: the handler checks the method. */
  readonly methods: readonly string[] | null;
  /** Whether scripts of other origins may use the route (CORS). */
  readonly shared: boolean;
  /** Whether a request counts against RATE_LIMIT_PER_ADDRESS. */
  readonly limited: boolean;
  /** @param search query string without its `?`. @param name first segment after the path, decoded. */
  readonly serve: (exchange: Exchange, search: string, name: string) => unknown;
}

const READ = ['GET', 'HEAD'];

/** Paths that scripts of other origins may use. The rest is for people, and for the operator's own tools. */
const SHARED = { shared: true } as const;
const UNSHARED = { shared: false } as const;

function routesOf(deps: RouteDeps): readonly Route[] {
  const { services, bytes, scrape, admission, web } = deps;
  const limited = true;
  const api = '/api/images/generated';
  return [
    { path: '/graphql', methods: null, ...SHARED, limited: false, serve: graphqlHandler(deps) },
    {
      path: '/images',
      segments: 2,
      methods: READ,
      ...SHARED,
      limited,
      serve: bytesHandler(bytes, serveImage),
    },
    {
      path: '/generated',
      segments: 1,
      methods: READ,
      ...SHARED,
      limited,
      serve: bytesHandler(bytes, serveFilename),
    },
    { path: '/uploads', segments: 1, methods: ['PUT'], ...SHARED, limited, serve: uploadHandler(deps) },
    {
      path: api,
      methods: READ,
      ...SHARED,
      limited,
      serve: admitted(admission, api, ({ response }, caller, search) =>
        serveImageFiles(services, { response, caller }, new URLSearchParams(search)),
      ),
    },
    {
      path: BACKUP,
      methods: ['GET'],
      ...UNSHARED,
      limited,
      serve: admitted(admission, BACKUP, (exchange, caller) =>
        serveBackup({ ...services, log: bytes.log, dataDirectory: deps.dataDirectory }, exchange, caller),
      ),
    },
    { path: ZIP, methods: ['GET', 'POST'], ...SHARED, limited, serve: zipHandler(deps) },
    { path: '/', methods: READ, ...UNSHARED, limited, serve: (exchange) => serveHome(exchange, web) },
    ...webRoutes(web),
    { path: '/login', methods: ['GET', 'HEAD', 'POST'], ...UNSHARED, limited, serve: admission.logIn },
    { path: '/logout', methods: ['POST'], ...UNSHARED, limited, serve: admission.logOut },
    { path: '/health', methods: READ, ...UNSHARED, limited: false, serve: serveHealth },
    {
      path: '/ready',
      methods: READ,
      ...UNSHARED,
      limited,
      serve: ({ response }) => serveReady(deps, response),
    },
    {
      path: '/metrics',
      methods: READ,
      ...UNSHARED,
      limited,
      serve: admitted(admission, '/metrics', ({ response }) => serveMetrics(scrape, response)),
    },
  ];
}

export interface Router {
  /** Matches the request targets that scripts of other origins may use. */
  readonly sharedTargets: RegExp;
  /** Answers a request; a promise that is returned may reject. */
  route(exchange: Exchange): unknown;
  /** Returns the route of a request target, such as `/images/{name}`; null: there is none. */
  routeOf(target: string): string | null;
}

export function makeRouter(deps: RouteDeps): Router {
  const { traffic, bytes } = deps;
  const routes = routesOf(deps);
  const exact = new Map(routes.filter((route) => !route.segments).map((route) => [route.path, route]));
  const named = new Map(
    routes.filter((route) => route.segments).map((route) => [route.path.slice(1), route]),
  );
  const faultOfHost = makeHostCheck();

  // Not async, and without objects of its own: every request passes here.
  function route(exchange: Exchange): unknown {
    const { request } = exchange;
    const fault = faultOfHost(request);
    if (fault) return sendProblem(exchange, 400, { code: 'BAD_REQUEST', message: fault });
    if (/^websocket$/i.test(request.headers.upgrade ?? '')) return sendNoWebSocket(exchange);
    const { path, search } = parseTarget(request.url ?? '/');
    const known = exact.get(path);
    if (known?.limited !== false) {
      const refusal = traffic.takeFromAddress(request);
      if (refusal) return sendRefusal(exchange, refusal);
    }
    if (known) return serveRoute(known, exchange, search, '');
    if (search === '' && isRead(request)) {
      const served = servePlainImage(bytes, exchange, path);
      if (served) return served;
    }
    const [, first = '', name = '', ...rest] = path.split('/').map(decode);
    const found = name === '' ? undefined : named.get(first);
    if (found && rest.length < (found.segments ?? 0)) return serveRoute(found, exchange, search, name);
    sendProblem(exchange, 404, { code: 'NOT_FOUND', message: 'There is nothing at this path.' });
  }

  function routeOf(target: string): string | null {
    const { path } = parseTarget(target);
    if (exact.has(path)) return path;
    const found = named.get(path.split('/', 2)[1] ?? '');
    return found ? `${found.path}/{name}` : null;
  }

  return { sharedTargets: sharedTargetsOf(routes), route, routeOf };
}

function serveRoute({ methods, serve }: Route, exchange: Exchange, search: string, name: string): unknown {
  if (methods === null || methods.includes(exchange.request.method ?? ''))
    return serve(exchange, search, name);
  const allow = methods.join(', ');
  const message = `This path accepts only ${allow}.`;
  sendProblem(exchange, 405, { code: 'BAD_REQUEST', message }, { Allow: allow });
}

/** Returns a pattern of the first segments of the shared routes, such as `/api` with everything below it. */
function sharedTargetsOf(routes: readonly Route[]): RegExp {
  const segments = routes.filter(({ shared }) => shared).map(({ path }) => path.split('/')[1]);
  return new RegExp(`^/(?:${segments.join('|')})(?:[/?]|$)`);
}

function graphqlHandler({ admission, traffic, graphql }: RouteDeps): Route['serve'] {
  return async (exchange) => {
    const { request, response } = exchange;
    const caller = await admission.authenticate(exchange, LOGIN_PAGE);
    if (!caller) return;
    const refusal =
      traffic.takeFromCaller(caller) ?? (hasFiles(request) ? traffic.enterUpload(exchange, caller) : null);
    return refusal
      ? sendRefusal(exchange, refusal)
      : graphql(request, response, admission.letIn(request, caller));
  };
}

const LOGIN_PAGE = { page: true } as const;

const bytesHandler =
  (bytes: BytesDeps, serve: typeof serveImage): Route['serve'] =>
  (exchange, search, name) =>
    serve(bytes, exchange, { name, query: new URLSearchParams(search) });

const uploadHandler =
  ({ traffic, uploads }: RouteDeps): Route['serve'] =>
  (exchange, search, id) => {
    const refusal = traffic.enterUpload(exchange, null);
    if (refusal) return sendRefusal(exchange, refusal);
    return serveUpload(uploads, exchange, { id, query: new URLSearchParams(search) });
  };

const BACKUP = '/api/backup';
const ZIP = '/api/images/zip';

const zipHandler = ({ admission, services, bytes }: RouteDeps): Route['serve'] =>
  admitted(admission, ZIP, (exchange, caller, search) =>
    serveZip({ ...services, log: bytes.log }, exchange, { caller, search }),
  );

/** Returns the routes of the gallery. They are public: its data comes from `/graphql`. */
function webRoutes(web: Web): Route[] {
  const common = { methods: READ, ...UNSHARED, limited: true };
  return [
    ...WEB_PATHS.map((path) => ({ path, ...common, serve: web.servePage })),
    { path: WEB_IMAGE_PATH, segments: 1, ...common, serve: web.servePage },
    { path: WEB_ASSETS_PATH, segments: 1, ...common, serve: web.serveAsset },
    { path: EXAMPLES_PATH, ...common, serve: web.serveExamples },
    ...MODULE_PATHS.map((path) => ({ path, ...common, ...SHARED, serve: web.serveModule })),
  ];
}

const serveHealth: Route['serve'] = ({ response }) => sendJson(response, 200, { status: 'alive' });

/** Lets only callers in that have the scope of the path. */
function admitted(
  admission: Admission,
  path: keyof typeof ROUTE_SCOPES,
  serve: (exchange: Exchange, caller: Caller, search: string) => Promise<void>,
): Route['serve'] {
  return async (exchange, search) => {
    const caller = await admission.admit(exchange, path);
    if (caller) await serve(exchange, caller, search);
  };
}

/** Status 426 (RFC 9110, 15.5.22). */
function sendNoWebSocket(exchange: Exchange): void {
  const message =
    'WebSockets are not supported. Subscriptions use server-sent events: POST or GET /graphql with Accept: text/event-stream (graphql-sse, EventSource).';
  sendProblem(exchange, 426, { code: 'BAD_REQUEST', message }, { Upgrade: 'HTTP/1.1', Connection: 'close' });
}

const isRead = ({ method }: IncomingMessage) => method === 'GET' || method === 'HEAD';

const hasFiles = ({ headers }: IncomingMessage) => /^\s*multipart\//i.test(headers['content-type'] ?? '');

/** Decodes a segment of a path. A segment with invalid escapes is '', which is no name. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

/** Splits a request target in origin form or absolute form (RFC 9112, 3.2) into path and query string. */
function parseTarget(target: string): { path: string; search: string } {
  const origin = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '') || '/';
  const at = origin.indexOf('?');
  return at < 0 ? { path: origin, search: '' } : { path: origin.slice(0, at), search: origin.slice(at + 1) };
}
