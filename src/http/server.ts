import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Authenticator, Credentials } from '../auth/authenticator.ts';
import { allows, NEEDED_SCOPES } from '../auth/authorization.ts';
import type { Caller } from '../auth/caller.ts';
import type { TrafficLimits } from '../config.ts';
import { FixativeError } from '../errors.ts';
import type { Services } from '../graphql/context.ts';
import { isReachable } from '../storage/health.ts';
import { sendError, sendJson } from './answer.ts';
import { type BytesSettings, serveFilename, serveImage } from './bytes.ts';
import { type GraphqlOptions, type LetIn, makeGraphqlHandler } from './graphql.ts';
import { serveImageFiles } from './image-files.ts';
import { lingerAfter } from './linger.ts';
import { sendLoginPage, serveLogin } from './login.ts';
import { serveMetrics } from './metrics.ts';
import { servePlainImage } from './plain-bytes.ts';
import { makeTraffic, sendRefusal } from './traffic.ts';
import { serveUpload, type UploadsDeps } from './uploads.ts';

export interface HttpServer {
  /** `http://127.0.0.1:4000`; known once it listens. */
  readonly address: () => string;
  /** @throws Error EADDRINUSE, EACCES, … */
  listen(host: string, port: number): Promise<void>;
  /** Takes no more requests and resolves when those under way are answered, or after the given time, when they are cut. */
  close(graceSeconds: number): Promise<void>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const IDLE_SECONDS = 30;

export function makeHttpServer(deps: {
  services: Services;
  authenticator: Authenticator;
  limits: Omit<GraphqlOptions, 'traffic'> & TrafficLimits;
  uploads: UploadsDeps;
  bytes: BytesSettings;
  log: Logger;
}): HttpServer {
  const { services, authenticator, log } = deps;
  const traffic = makeTraffic(deps.limits, log);
  const graphql = makeGraphqlHandler(services, { ...deps.limits, traffic }, log);
  const bytes = { ...deps.bytes, storage: services.storage, authenticator, log };

  async function route(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const { path, search } = parseTarget(request.url ?? '/');
    if (!isHost(request.headers.host)) {
      return sendError(response, 400, { code: 'BAD_REQUEST', message: 'The Host header names no host.' });
    }
    if (path === '/graphql') {
      const caller = await authenticate(exchange, { page: true });
      if (!caller) return;
      const refusal =
        traffic.takeFromCaller(caller) ?? (hasFiles(request) ? traffic.enterUpload(exchange, caller) : null);
      return refusal ? sendRefusal(exchange, refusal) : graphql(request, response, letIn(request, caller));
    }
    if (path === '/health') return sendJson(response, 200, { status: 'alive' });
    const refusal = traffic.takeFromAddress(request);
    if (refusal) return sendRefusal(exchange, refusal);
    if (path === '/login') {
      if (!takes(exchange, ['GET', 'POST'])) return;
      return serveLogin(authenticator, exchange, { secure: services.publicUrl().startsWith('https:') });
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isRead && search === '') {
      const answered = servePlainImage(bytes, exchange, path);
      if (answered === true || (answered && (await answered))) return;
    }
    const [, room, name, ...rest] = path.split('/').map(decode);
    if (room === 'uploads' && name && rest.length === 0) {
      const refusal = request.method === 'PUT' ? traffic.enterUpload(exchange, null) : null;
      if (refusal) return sendRefusal(exchange, refusal);
      return serveUpload(deps.uploads, exchange, { id: name, query: new URLSearchParams(search) });
    }
    if (!takes(exchange, ['GET', 'HEAD'])) return;
    const query = new URLSearchParams(search);
    if (room === 'images' && name && rest.length <= 1) return serveImage(bytes, exchange, { name, query });
    if (room === 'generated' && name && rest.length === 0)
      return serveFilename(bytes, exchange, { name, query });
    if (path === '/api/images/generated') {
      const caller = await admit(exchange, path);
      return caller
        ? serveImageFiles(services, { response, caller }, new URLSearchParams(search))
        : undefined;
    }
    if (path === '/metrics') {
      return (await admit(exchange, path)) ? serveMetrics(services, response) : undefined;
    }
    if (path === '/ready') return serveReady(response);
    if (path === '/') {
      response.writeHead(302, { Location: '/graphql', 'Cache-Control': 'no-store' }).end();
      return;
    }
    sendError(response, 404, { code: 'NOT_FOUND', message: 'There is nothing at this address.' });
  }

  /** Ready is: the database answers, and so does every store. */
  async function serveReady(response: ServerResponse): Promise<void> {
    const database = await services.database.query('SELECT 1').then(
      () => true,
      () => false,
    );
    const stores = Object.fromEntries(
      await Promise.all(
        services.storage.stores.map(async (store) => [store.name, await isReachable(store)] as const),
      ),
    );
    const ready = database && Object.values(stores).every(Boolean);
    sendJson(response, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready', database, stores });
  }

  /** Says who asks, or answers 401; before a byte of the body is read. */
  async function authenticate(
    { request, response }: Exchange,
    { page }: { page: boolean },
  ): Promise<Caller | null> {
    const { accept } = request.headers;
    // Whoever has tried too much is told so before anything is looked up.
    const full = traffic.hasFailed(request);
    if (full) {
      sendRefusal({ request, response }, full);
      return null;
    }
    let caller: Caller | null;
    try {
      caller = await authenticator.authenticate(credentialsOf(request));
    } catch (error) {
      if (!(error instanceof FixativeError)) throw error;
      const refusal = traffic.takeFailure(request);
      if (refusal) sendRefusal({ request, response }, refusal);
      else sendUnauthenticated(response, error);
      return null;
    }
    if (caller && !isOwnPage(request)) {
      const errors = [
        { message: 'A session is good for pages of this server only.', extensions: { code: 'FORBIDDEN' } },
      ];
      sendJson(response, 403, { errors });
      return null;
    }
    if (caller) return caller;
    const refusal = traffic.takeFailure(request);
    if (refusal) {
      sendRefusal({ request, response }, refusal);
      return null;
    }
    if (page && request.method === 'GET' && accept?.includes('text/html')) {
      sendLoginPage(response, '');
      return null;
    }
    const message =
      'Send a token: Authorization: Bearer <token>. The root token is FIXATIVE_ROOT_TOKEN, or in DATA_DIR/root-token.';
    sendJson(
      response,
      401,
      { errors: [{ message, extensions: { code: 'UNAUTHENTICATED' } }] },
      { 'WWW-Authenticate': 'Bearer realm="fixative"' },
    );
    return null;
  }

  /** The caller of an address that needs a scope, or null when it was answered that there is none. */
  async function admit(exchange: Exchange, path: keyof typeof NEEDED_SCOPES.http): Promise<Caller | null> {
    const caller = await authenticate(exchange, { page: false });
    const scope = NEEDED_SCOPES.http[path];
    if (caller === null || allows(caller, scope)) return caller;
    sendError(
      exchange.response,
      403,
      { code: 'FORBIDDEN', message: `The token does not allow this: it needs the scope ${scope}.` },
      { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    );
    return null;
  }

  /** The credentials are looked at again as long as the caller is the same: what was given for them once may be taken away. */
  function letIn(request: IncomingMessage, caller: Caller): LetIn {
    const credentials = credentialsOf(request);
    const isLetIn = () =>
      authenticator.authenticate(credentials).then(
        (now) => now?.userId === caller.userId,
        () => false,
      );
    return { caller, isLetIn };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    lingerAfter(request, response);
    // Whoever asks whether the process lives is told so, however much there is to do.
    const refusal = request.url === '/health' ? null : traffic.enter({ request, response });
    if (refusal) return sendRefusal({ request, response }, refusal);
    try {
      await route({ request, response });
    } catch (error) {
      const id = randomUUID();
      log.error({ id, err: error, method: request.method }, 'a request failed unexpectedly');
      if (response.headersSent) response.destroy();
      else
        sendError(response, 500, {
          code: 'INTERNAL',
          message: `Unexpected error; the log of the server has it under ${id}.`,
        });
    }
  }

  const { headersTimeoutSeconds, operationTimeoutSeconds, maxConnections } = deps.limits;
  const server = createServer(
    {
      headersTimeout: headersTimeoutSeconds * 1000,
      // How long a body may take depends on how long it is (body-pace.ts).
      requestTimeout: 0,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void handle(request, response),
  );
  server.maxConnections = maxConnections;
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
    close: (graceSeconds) =>
      new Promise((resolve) => {
        traffic.stop();
        const timer = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

const credentialsOf = ({ headers: { authorization, cookie } }: IncomingMessage): Credentials => ({
  authorization,
  cookie,
});

/** What came is no valid token (RFC 6750, 3.1), or nobody can tell now. */
function sendUnauthenticated(response: ServerResponse, { code, message }: FixativeError): void {
  const unknown = code === 'IDENTITY_UNAVAILABLE';
  const headers: Record<string, string> = unknown
    ? { 'Retry-After': '5' }
    : { 'WWW-Authenticate': 'Bearer error="invalid_token"' };
  sendJson(response, unknown ? 503 : 401, { errors: [{ message, extensions: { code } }] }, headers);
}

function takes({ request, response }: Exchange, methods: readonly string[]): boolean {
  if (methods.includes(request.method ?? '')) return true;
  const allow = methods.join(', ');
  sendError(response, 405, { code: 'BAD_REQUEST', message: `Only ${allow} here.` }, { Allow: allow });
  return false;
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

function isHost(host: string | undefined): boolean {
  return host === undefined || /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d+)?$/.test(host);
}

/**
 * Whether a request that is let in by its cookie was sent by a page of ours. SameSite=Strict keeps other sites out and not other ports
 * of the same host, and a multipart form needs nobody's leave to be sent.
 */
function isOwnPage({ headers, method }: IncomingMessage): boolean {
  if (method === 'GET' || method === 'HEAD' || /^Bearer /i.test(headers.authorization ?? '')) return true;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return headers.origin === undefined || URL.parse(headers.origin)?.host === headers.host;
}

function addressOf(address: AddressInfo | null): string {
  if (!address) throw new Error('The server does not listen.');
  // Every address of the machine is none that a link can name.
  if (address.address === '0.0.0.0' || address.address === '::') return `http://localhost:${address.port}`;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
