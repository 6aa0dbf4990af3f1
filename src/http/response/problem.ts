import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import { sendJson } from './send.ts';

export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Returns the body of an error: a GraphQL list of errors for /graphql, one error for any other path. */
export function problemBody({ url }: Pick<IncomingMessage, 'url'>, { code, message }: Problem): object {
  return /^\/graphql(?:[?/]|$)/.test(url ?? '')
    ? { errors: [{ message, extensions: { code } }] }
    : { error: { code, message } };
}

/** Answers a request with an error. */
export function sendProblem(
  { request, response }: Exchange,
  status: number,
  problem: Problem,
  headers: Record<string, string> = {},
): void {
  sendJson(response, status, problemBody(request, problem), headers);
}
