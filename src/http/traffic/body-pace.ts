import type { IncomingMessage, ServerResponse } from 'node:http';

export interface PaceLimits {
  readonly bodyTimeoutSeconds: number;
  readonly minBodyBytesPerSecond: number;
}

export interface BodyPace {
  /** Watches the body of a request until it is there; one that comes too slowly is answered by `refuse`, and its connection cut. */
  watch(request: IncomingMessage, response: ServerResponse, refuse: () => void): void;
  stop(): void;
}

/**
 * Keeps a client from holding a connection, and a spool, by sending next to nothing: a body has some seconds, and one more for each so many
 * bytes that have come, as Apache's mod_reqtimeout counts (https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html). What
 * waits with us, because we do not read, is not held against the client. One timer for all of them.
 */
export function makeBodyPace(limits: PaceLimits): BodyPace {
  interface Body {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly refuse: () => void;
    readonly readBefore: number;
    seconds: number;
  }
  const bodies = new Set<Body>();
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
