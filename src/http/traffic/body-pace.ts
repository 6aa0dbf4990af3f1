import type { IncomingMessage, ServerResponse } from 'node:http';

export interface PaceLimits {
  readonly bodyTimeoutSeconds: number;
  readonly minBodyBytesPerSecond: number;
}

export interface BodyPace {
  /** Watches the body of a request until it is complete. Calls `refuse` when it comes too slowly. */
  watch(request: IncomingMessage, response: ServerResponse, refuse: () => void): void;
  stop(): void;
}

interface WatchedBody {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly refuse: () => void;
  readonly readBefore: number;
  seconds: number;
}

/**
 * Limits the time of a body, so that a client cannot hold a connection and a spool by sending next to
 * nothing. The time grows by a second for each `minBodyBytesPerSecond` received, as in Apache's
 * mod_reqtimeout (https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html). Time in which the server does
 * not read does not count. One timer serves all bodies.
 */
export function makeBodyPace(limits: PaceLimits): BodyPace {
  const bodies = new Set<WatchedBody>();
  const timer = setInterval(() => {
    for (const body of bodies) {
      const { request, response } = body;
      if (request.complete || request.destroyed || response.writableEnded) {
        bodies.delete(body);
        continue;
      }
      if (request.readableLength > 0) continue;
      body.seconds += 1;
      const bytes = request.socket.bytesRead - body.readBefore;
      if (body.seconds <= limits.bodyTimeoutSeconds + bytes / limits.minBodyBytesPerSecond) continue;
      bodies.delete(body);
      body.refuse();
    }
  }, 1000);
  timer.unref();
  return {
    watch(request, response, refuse) {
      const { headers } = request;
      if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
      if (request.complete || headers['content-length'] === '0') return;
      bodies.add({ request, response, refuse, readBefore: request.socket.bytesRead, seconds: 0 });
    },
    stop: () => clearInterval(timer),
  };
}
