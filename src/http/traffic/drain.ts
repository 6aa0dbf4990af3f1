/**
 * Shutdown behind a proxy. A proxy keeps connections open and sends its next request on any of them. When
 * such a request crosses the closing of its connection, the client of the proxy gets 502, because proxies do
 * not repeat requests that change something. So a connection in use is closed by a response with `Connection:
 * close`. Only a connection that stays idle is closed without one.
 */
import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
  ServerResponse,
} from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/**
 * Seconds without a request after which a connection is closed. nginx has the same pause
 * (keepalive_min_timeout).
 */
const PAUSE_SECONDS = 1;

export interface Drain {
  /** Class of the responses. After the drain has begun, a response closes its connection. */
  readonly Response: typeof ServerResponse<IncomingMessage>;
  /** Keeps track of the connections of a server. */
  watch(server: Server): void;
  readonly hasBegun: boolean;
  /**
   * Accepts no more connections. Each connection is closed by its next response, or after a pause without
   * one.
   * @returns a promise that resolves when no connection is left.
   */
  begin(server: Server, pauseSeconds?: number): Promise<void>;
}

/**
 * Longest iteration of the event loop that counts as quiet, and the longest wait for one, in milliseconds.
 */
const QUIET_MS = 0.5;
const QUIET_WAIT_MS = 500;

export function makeDrain(): Drain {
  const sockets = new Set<Socket>();
  let ended: Promise<void> | null = null;
  /** Whether the listening socket is closed. */
  let isClosed = false;

  class DrainedResponse extends ServerResponse<IncomingMessage> {
    // Node calls this for every head, also for one that the first `write` or `end` sends.
    override writeHead(
      status: number,
      reason?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
      headers?: OutgoingHttpHeaders | OutgoingHttpHeader[],
    ): this {
      // Not before the socket is closed: a client that is told to close connects again, and must be refused.
      if (isClosed) this.shouldKeepAlive = false;
      return super.writeHead(status, reason as string, headers);
    }
  }

  return {
    Response: DrainedResponse,
    watch(server) {
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      });
    },
    get hasBegun() {
      return ended !== null;
    },
    begin(server, pauseSeconds = PAUSE_SECONDS) {
      if (ended) return ended;
      const { promise, resolve } = Promise.withResolvers<void>();
      ended = promise;
      const closeIdle = () => {
        server.closeIdleConnections();
        // Node does not count a connection as idle before its first request.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      };
      whenQuiet(() => {
        isClosed = true;
        // The close of an HTTP server would also close connections on which a proxy may be sending.
        NetServer.prototype.close.call(server, () => resolve());
        // For connections whose response has begun without `Connection: close`.
        server.keepAliveTimeout = PAUSE_SECONDS * 1000;
        // A busy server reads what has arrived between the timer and the immediate.
        setTimeout(() => setImmediate(closeIdle), pauseSeconds * 1000).unref();
      });
      return ended;
    },
  };
}

/**
 * Runs `work` after a quiet iteration of the event loop. The system resets a connection that arrives between
 * the last `accept` and the close of the socket, although its client may have sent a request. A quiet loop
 * keeps that interval short.
 */
function whenQuiet(work: () => void): void {
  const latest = performance.now() + QUIET_WAIT_MS;
  const check = (before: number) => {
    const now = performance.now();
    if (now - before < QUIET_MS || now > latest) work();
    else setImmediate(check, now);
  };
  setImmediate(() => setImmediate(check, performance.now()));
}
