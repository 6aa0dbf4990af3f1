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

export function makeDrain(): Drain {
  const sockets = new Set<Socket>();
  let ended: Promise<void> | null = null;

  class LastResponse extends ServerResponse<IncomingMessage> {
    // Every head comes by here, also one that is written by the first `write` or `end`.
    override writeHead(
      status: number,
      reason?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
      headers?: OutgoingHttpHeaders | OutgoingHttpHeader[],
    ): this {
      if (ended) this.shouldKeepAlive = false;
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
      ended = new Promise((resolve) => {
        // The close of an HTTP server would close at once what a proxy may be sending over. What has come by now is accepted before.
        setImmediate(() => NetServer.prototype.close.call(server, () => resolve()));
      });
      // For connections whose answer had begun by now, without `Connection: close`.
      server.keepAliveTimeout = PAUSE_SECONDS * 1000;
      const closeIdle = () => {
        server.closeIdleConnections();
        // To Node, one that has not sent a request yet is not idle.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      };
      // A server that is busy has not read yet what has come meanwhile: it does so between the timer and this.
      setTimeout(() => setImmediate(closeIdle), pauseSeconds * 1000).unref();
      return ended;
    },
  };
}
