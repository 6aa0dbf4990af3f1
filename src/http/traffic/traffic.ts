import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../../auth/caller.ts';
import type { TrafficLimits } from '../../config.ts';
import type { ErrorCode } from '../../errors.ts';
import { problemBody, sendProblem } from '../response/problem.ts';
import { makeAddressOf } from './address.ts';
import { makeBodyPace } from './body-pace.ts';
import { watchOverload } from './overload.ts';
import { makeRateLimit } from './rate.ts';

/** Why a request is not taken now, and when it may be. */
export interface Refusal {
  readonly status: 429 | 503;
  readonly code: Extract<ErrorCode, 'RATE_LIMITED' | 'OVERLOADED'>;
  readonly message: string;
  readonly retryAfterSeconds: number;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * How much is let in at once, and how fast. Everything is counted in this process: with several, each takes its share. What is counted in is
 * counted out when its response is closed, whatever became of it.
 */
export interface Traffic {
  /** Takes in a request: the first thing that is asked of it. */
  enter(exchange: Exchange): Refusal | null;
  /** Whether an address has tried to come in as often as it may; nothing is taken. */
  hasFailed(request: IncomingMessage): Refusal | null;
  /** Of requests that say who asks and are not believed. */
  takeFailure(request: IncomingMessage): Refusal | null;
  /** Of requests that nobody is known to have sent. */
  takeFromAddress(request: IncomingMessage): Refusal | null;
  takeFromCaller(caller: Caller): Refusal | null;
  /** Of requests with files; `caller` is null where the address of an upload target is all that is known. */
  enterUpload(exchange: Exchange, caller: Caller | null): Refusal | null;
  /** A subscription is no longer a request under way. */
  enterSubscription(exchange: Exchange, caller: Caller): Refusal | null;
  stop(): void;
}

export function makeTraffic(limits: TrafficLimits, log: Logger): Traffic {
  const addressOf = makeAddressOf(limits.trustedProxies);
  const perAddress = makeRateLimit(limits.rateLimitPerAddress);
  const failures = makeRateLimit(limits.rateLimitPerAddress);
  const perCaller = makeRateLimit(limits.rateLimitPerCaller);
  const overload = watchOverload(limits);
  const pace = makeBodyPace(limits);
  const requests = makePlaces('requests', 'MAX_REQUESTS', limits.maxRequests);
  const requestsOf = makePlacesOf('requests', 'MAX_REQUESTS_PER_ADDRESS', limits.maxRequestsPerAddress);
  const uploads = makePlaces('uploads', 'MAX_UPLOADS', limits.maxUploads);
  const uploadsOf = makePlacesOf('uploads', 'MAX_UPLOADS_PER_CALLER', limits.maxUploadsPerCaller);
  const subscriptions = makePlaces('subscriptions', 'MAX_SUBSCRIPTIONS', limits.maxSubscriptions);
  const subscriptionsOf = makePlacesOf(
    'subscriptions',
    'MAX_SUBSCRIPTIONS_PER_CALLER',
    limits.maxSubscriptionsPerCaller,
  );
  const underWay = new WeakMap<IncomingMessage, () => void>();
  let loggedAt = 0;

  function sayOverloaded(reason: string): void {
    if (Date.now() - loggedAt < 10_000) return;
    loggedAt = Date.now();
    log.warn({ reason }, 'requests are refused: there is too much to do');
  }

  return {
    enter(exchange) {
      const { request, response } = exchange;
      const reason = overload.reason;
      if (reason !== null) {
        sayOverloaded(reason);
        return {
          status: 503,
          code: 'OVERLOADED',
          message: 'The server has as much to do as it can take. Try again in a moment.',
          retryAfterSeconds: 2,
        };
      }
      const address = addressOf(request);
      const many = requestsOf.enter(address);
      if (many) return many;
      const refusal = requests.enter();
      if (refusal) {
        requestsOf.leave(address);
        sayOverloaded(refusal.message);
        return refusal;
      }
      let left = false;
      const leave = () => {
        if (left) return;
        left = true;
        requests.leave();
        requestsOf.leave(address);
      };
      underWay.set(request, leave);
      response.on('close', leave);
      pace.watch(request, response, () => {
        const message = `The body comes too slowly: it has ${limits.bodyTimeoutSeconds} seconds, and one more for each ${limits.minBodyBytesPerSecond} bytes (BODY_TIMEOUT_SECONDS, MIN_BODY_BYTES_PER_SECOND).`;
        cut(exchange, message);
      });
      return null;
    },
    hasFailed(request) {
      return tooFast(failures.look(addressOf(request)), 'this address', 'RATE_LIMIT_PER_ADDRESS');
    },
    takeFailure(request) {
      return tooFast(failures.take(addressOf(request)), 'this address', 'RATE_LIMIT_PER_ADDRESS');
    },
    takeFromAddress(request) {
      return tooFast(perAddress.take(addressOf(request)), 'this address', 'RATE_LIMIT_PER_ADDRESS');
    },
    takeFromCaller(caller) {
      return tooFast(perCaller.take(keyOf(caller)), 'this caller', 'RATE_LIMIT_PER_CALLER');
    },
    enterUpload({ request, response }, caller) {
      const key = caller ? keyOf(caller) : addressOf(request);
      return enterBoth({ all: uploads, of: uploadsOf, key }, response);
    },
    enterSubscription({ request, response }, caller) {
      const refusal = enterBoth({ all: subscriptions, of: subscriptionsOf, key: keyOf(caller) }, response);
      if (!refusal) underWay.get(request)?.();
      return refusal;
    },
    stop() {
      overload.stop();
      pace.stop();
    },
  };
}

/**
 * Answers past the response, as Node itself answers one who is too slow, and hangs up: whoever waits for the body learns that it
 * broke off, as with any client that goes, and may not answer a second time.
 */
function cut({ request, response }: Exchange, message: string): void {
  const { socket } = request;
  if (!response.headersSent && socket.writable) {
    const body = JSON.stringify(problemBody(request, { code: 'TIMED_OUT', message }));
    socket.write(
      `HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

/** Answers a request that is not taken now. */
export function sendRefusal(exchange: Exchange, refusal: Refusal): void {
  const { status, code, message, retryAfterSeconds } = refusal;
  sendProblem(exchange, status, { code, message }, { 'Retry-After': String(retryAfterSeconds) });
}

/** What a caller is counted under: its user, however many tokens that one has; of a service its own name. */
function keyOf(caller: Caller): string {
  const known = keys.get(caller);
  if (known !== undefined) return known;
  const { kind, userId, name } = caller;
  const key = `${kind}:${userId === null ? `service ${name}` : `user ${userId}`}`;
  keys.set(caller, key);
  return key;
}

const keys = new WeakMap<Caller, string>();

function tooFast(seconds: number, who: string, setting: string): Refusal | null {
  if (seconds === 0) return null;
  const message = `There were too many requests of ${who} within a minute (${setting}). Try again in ${seconds} s.`;
  return { status: 429, code: 'RATE_LIMITED', message, retryAfterSeconds: seconds };
}

interface Places {
  enter(): Refusal | null;
  leave(): void;
}

function makePlaces(what: string, setting: string, most: number): Places {
  let taken = 0;
  return {
    enter() {
      if (taken >= most) {
        const message = `There are ${most} ${what} under way, and no more are taken at once (${setting}). Try again in a moment.`;
        return { status: 503, code: 'OVERLOADED', message, retryAfterSeconds: 5 };
      }
      taken++;
      return null;
    },
    leave() {
      taken--;
    },
  };
}

interface PlacesOf {
  enter(key: string): Refusal | null;
  leave(key: string): void;
}

function makePlacesOf(what: string, setting: string, most: number): PlacesOf {
  const taken = new Map<string, number>();
  return {
    enter(key) {
      const count = taken.get(key) ?? 0;
      if (count >= most) {
        const message = `You have ${count} ${what} under way, and no more are taken at once (${setting}). Wait for one to end.`;
        return { status: 429, code: 'RATE_LIMITED', message, retryAfterSeconds: 5 };
      }
      taken.set(key, count + 1);
      return null;
    },
    leave(key) {
      const count = (taken.get(key) ?? 1) - 1;
      if (count > 0) taken.set(key, count);
      else taken.delete(key);
    },
  };
}

function enterBoth(
  { all, of, key }: { all: Places; of: PlacesOf; key: string },
  response: ServerResponse,
): Refusal | null {
  const ofOne = of.enter(key);
  if (ofOne) return ofOne;
  const refusal = all.enter();
  if (refusal) {
    of.leave(key);
    return refusal;
  }
  const leave = () => {
    all.leave();
    of.leave(key);
  };
  // Whoever hung up while it was found out who asks is not heard of again.
  if (response.destroyed) leave();
  else response.once('close', leave);
  return null;
}
