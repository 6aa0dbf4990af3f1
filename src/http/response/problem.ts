import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import { sendJson } from './send.ts';

export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The body of an error in the shape of its address: GraphQL's list of errors below /graphql, one error anywhere else. */
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
