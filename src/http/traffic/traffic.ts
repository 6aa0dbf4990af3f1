import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../../auth/caller.ts';
import type { TrafficLimits } from '../../config.ts';
import type { Exchange } from '../exchange.ts';
import { problemBody } from '../response/problem.ts';
import { makeAddressOf } from './address.ts';
import { makeBodyPace } from './body-pace.ts';
import { enterUntilClosed, makeConcurrencyLimit, makeKeyedConcurrencyLimit } from './concurrency.ts';
import { watchOverload } from './overload.ts';
import { makeRateLimit } from './rate.ts';
import type { Refusal } from './refusal.ts';

/**
 * Limits on requests in progress and on rates, counted in this process. What enters is counted out when its
 * response is closed, whatever became of the request.
 */
export interface Traffic {
  /** Admits a request. This is the first check of every request. */
  enter(exchange: Exchange): Refusal | null;
  /** Returns whether the address has failed to authenticate as often as it may. Counts nothing. */
  hasFailed(request: IncomingMessage): Refusal | null;
  /** Counts a request whose credentials are not valid. */
  takeFailure(request: IncomingMessage): Refusal | null;
  /** Counts a request of an unknown caller under its address. */
  takeFromAddress(request: IncomingMessage): Refusal | null;
  takeFromCaller(caller: Caller): Refusal | null;
  /** Admits a request with files. @param caller null: an upload target, counted under the address. */
  enterUpload(exchange: Exchange, caller: Caller | null): Refusal | null;
  /** Admits a subscription. From now on it does not count as a request in progress. */
  enterSubscription(exchange: Exchange, caller: Caller): Refusal | null;
  /** Returns what is in progress now, by kind, and the delay of the event loop in seconds. */
  load(): { readonly inProgress: Readonly<Record<string, number>>; readonly delaySeconds: number };
  stop(): void;
}

type AddressOf = (request: IncomingMessage) => string;

export function makeTraffic(limits: TrafficLimits, log: Logger): Traffic {
  const addressOf = makeAddressOf(limits.trustedProxies);
  const perAddress = makeRateLimit(limits.rateLimitPerAddress);
  const failures = makeRateLimit(limits.rateLimitPerAddress);
  const perCaller = makeRateLimit(limits.rateLimitPerCaller);
  const requests = makeRequestLimits(limits, addressOf, log);
  const uploads = {
    all: makeConcurrencyLimit('uploads', 'MAX_UPLOADS', limits.maxUploads),
    perKey: makeKeyedConcurrencyLimit('uploads', 'MAX_UPLOADS_PER_CALLER', limits.maxUploadsPerCaller),
  };
  const subscriptions = {
    all: makeConcurrencyLimit('subscriptions', 'MAX_SUBSCRIPTIONS', limits.maxSubscriptions),
    perKey: makeKeyedConcurrencyLimit(
      'subscriptions',
      'MAX_SUBSCRIPTIONS_PER_CALLER',
      limits.maxSubscriptionsPerCaller,
    ),
  };
  return {
    enter: requests.enter,
    hasFailed: (request) =>
      refusalOfRate(failures.peek(addressOf(request)), 'this address', 'RATE_LIMIT_PER_ADDRESS'),
    takeFailure: (request) =>
      refusalOfRate(failures.take(addressOf(request)), 'this address', 'RATE_LIMIT_PER_ADDRESS'),
    takeFromAddress: (request) =>
      refusalOfRate(perAddress.take(addressOf(request)), 'this address', 'RATE_LIMIT_PER_ADDRESS'),
    takeFromCaller: (caller) =>
      refusalOfRate(perCaller.take(keyOf(caller)), 'this caller', 'RATE_LIMIT_PER_CALLER'),
    enterUpload({ request, response }, caller) {
      const key = caller ? keyOf(caller) : addressOf(request);
      return enterUntilClosed({ ...uploads, key }, response);
    },
    enterSubscription({ request, response }, caller) {
      const refusal = enterUntilClosed({ ...subscriptions, key: keyOf(caller) }, response);
      if (!refusal) requests.leave(request);
      return refusal;
    },
    load: () => ({
      inProgress: {
        requests: requests.count,
        uploads: uploads.all.count,
        subscriptions: subscriptions.all.count,
      },
      delaySeconds: requests.delaySeconds,
    }),
    stop: requests.stop,
  };
}

/** Milliseconds between two warnings that requests are refused. */
const WARN_EVERY_MS = 10_000;

/** Limits the requests in progress, the load of the process, and the time for a body. */
function makeRequestLimits(limits: TrafficLimits, addressOf: AddressOf, log: Logger) {
  const overload = watchOverload(limits);
  const pace = makeBodyPace(limits);
  const all = makeConcurrencyLimit('requests', 'MAX_REQUESTS', limits.maxRequests);
  const perAddress = makeKeyedConcurrencyLimit(
    'requests',
    'MAX_REQUESTS_PER_ADDRESS',
    limits.maxRequestsPerAddress,
  );
  const inProgress = new WeakMap<IncomingMessage, () => void>();
  const slowBody = `The body comes too slowly. It may take ${limits.bodyTimeoutSeconds} seconds, plus one second for each ${limits.minBodyBytesPerSecond} bytes (BODY_TIMEOUT_SECONDS, MIN_BODY_BYTES_PER_SECOND).`;
  let warnedAt = 0;

  function warnOfOverload(reason: string): void {
    if (Date.now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = Date.now();
    log.warn({ reason }, 'requests are refused: the server is overloaded');
  }

  function enter(exchange: Exchange): Refusal | null {
    const { request, response } = exchange;
    const { reason } = overload;
    if (reason !== null) {
      warnOfOverload(reason);
      return OVERLOADED;
    }
    const address = addressOf(request);
    const refusalOfAddress = perAddress.enter(address);
    if (refusalOfAddress) return refusalOfAddress;
    const refusal = all.enter();
    if (refusal) {
      perAddress.leave(address);
      warnOfOverload(refusal.message);
      return refusal;
    }
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      all.leave();
      perAddress.leave(address);
    };
    inProgress.set(request, leave);
    response.on('close', leave);
    pace.watch(request, response, () => cutSlowRequest(exchange, slowBody));
    return null;
  }

  return {
    enter,
    leave: (request: IncomingMessage) => inProgress.get(request)?.(),
    get count() {
      return all.count;
    },
    get delaySeconds() {
      return overload.delaySeconds;
    },
    stop() {
      overload.stop();
      pace.stop();
    },
  };
}

const OVERLOADED: Refusal = {
  status: 503,
  code: 'OVERLOADED',
  message: 'The server is overloaded. Try again in a moment.',
  retryAfterSeconds: 2,
};

/**
 * Answers status 408 on the socket, past the response, as Node does for slow headers, and closes the
 * connection. The reader of the body sees an interrupted body, as with any client that hangs up, and cannot
 * answer as well.
 */
function cutSlowRequest({ request, response }: Exchange, message: string): void {
  const { socket } = request;
  if (!response.headersSent && socket.writable) {
    const body = JSON.stringify(problemBody(request, { code: 'TIMED_OUT', message }));
    socket.write(
      `HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

/** Returns the key that a caller is counted under: all tokens of a user share one, a service has its own. */
function keyOf(caller: Caller): string {
  const known = keys.get(caller);
  if (known !== undefined) return known;
  const { kind, userId, name } = caller;
  const key = `${kind}:${userId === null ? `service ${name}` : `user ${userId}`}`;
  keys.set(caller, key);
  return key;
}

const keys = new WeakMap<Caller, string>();

function refusalOfRate(seconds: number, subject: string, setting: string): Refusal | null {
  if (seconds === 0) return null;
  const message = `Too many requests from ${subject} in a minute (${setting}). Try again in ${seconds} s.`;
  return { status: 429, code: 'RATE_LIMITED', message, retryAfterSeconds: seconds };
}
