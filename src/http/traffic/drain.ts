/**
 * The end of a server behind a proxy. A proxy keeps connections and sends the next request over any of them; where that crosses with the closing of
 * the connection, the proxy's client sees 502, because a request that changes something is not sent again. So a connection that was just in use is
 * closed by an answer (`Connection: close`), which leaves nothing to cross with, and only one that stays quiet is closed without.
 */
import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type Server,
  ServerResponse,
} from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

/** nginx knows the same pause (keepalive_min_timeout). */
const PAUSE_SECONDS = 1;

export interface Drain {
  /** Of answers: one says that its connection ends with it, once the drain has begun. */
  readonly Response: typeof ServerResponse<IncomingMessage>;
  /** Takes note of the connections of a server. */
  watch(server: Server): void;
  readonly hasBegun: boolean;
  /**
   * Accepts no more connections. Each connection ends with its next answer, or after a pause without a request.
   * @returns when no connection is left.
   */
  begin(server: Server, pauseSeconds?: number): Promise<void>;
}

/** An iteration of the event loop that takes no longer had little to do; how long one is waited for. */
const QUIET_MILLISECONDS = 0.5;
const QUIET_PATIENCE_MILLISECONDS = 500;

export function makeDrain(): Drain {
  const sockets = new Set<Socket>();
  let ended: Promise<void> | null = null;
  /** Whether no more connections are accepted. */
  let isClosed = false;

  class LastResponse extends ServerResponse<IncomingMessage> {
    // Every head comes by here, also one that is written by the first `write` or `end`.
    override writeHead(
      status: number,
      reason?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
      headers?: OutgoingHttpHeaders | OutgoingHttpHeader[],
    ): this {
      // Only after the close: a client that is told `Connection: close` connects again, and must be refused.
      if (isClosed) this.shouldKeepAlive = false;
      return super.writeHead(status, reason as string, headers);
    }
  }

  return {
    Response: LastResponse,
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
        // To Node, one that has not sent a request yet is not idle.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      };
      whenQuiet(() => {
        isClosed = true;
        // The close of an HTTP server would close at once what a proxy may be sending over.
        NetServer.prototype.close.call(server, () => resolve());
        // For connections whose answer had begun by now, without `Connection: close`.
        server.keepAliveTimeout = PAUSE_SECONDS * 1000;
        // A server that is busy has not read yet what has come meanwhile: it does so between the timer and this.
        setTimeout(() => setImmediate(closeIdle), pauseSeconds * 1000).unref();
      });
      return ended;
    },
  };
}

/**
 * Runs `work` after an iteration of the event loop that had little to do. A connection that comes after the last look for new ones, and before the
 * socket is closed, is reset by the system although its client may have sent a request; so the two are to be close together.
 */
function whenQuiet(work: () => void): void {
  const latest = performance.now() + QUIET_PATIENCE_MILLISECONDS;
  const look = (before: number) => {
    const now = performance.now();
    if (now - before < QUIET_MILLISECONDS || now > latest) work();
    else setImmediate(look, now);
  };
  setImmediate(() => setImmediate(look, performance.now()));
}
