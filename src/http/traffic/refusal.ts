import type { ErrorCode } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import { sendProblem } from '../response/problem.ts';

/** Why the server does not take a request now, and when the client may try again. */
export interface Refusal {
  readonly status: 429 | 503;
  readonly code: Extract<ErrorCode, 'RATE_LIMITED' | 'OVERLOADED'>;
  readonly message: string;
  readonly retryAfterSeconds: number;
}

/** Answers a request that is refused. */
export function sendRefusal(exchange: Exchange, refusal: Refusal): void {
  const { status, code, message, retryAfterSeconds } = refusal;
  sendProblem(exchange, status, { code, message }, { 'Retry-After': String(retryAfterSeconds) });
}
