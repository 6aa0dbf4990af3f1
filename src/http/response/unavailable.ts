/**
 * Responses while the database cannot be reached. If nothing was done, the status is 503 with Retry-After, so
 * that a client repeats the request and a proxy sends it to the next server. A mutation that has begun may
 * have been done: its status is 200 with the error.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Database } from '../../database/database.ts';
import { DatabaseUnavailableError, isDatabaseAway } from '../../database/driver/errors.ts';
import { sendProblem } from './problem.ts';

const STATUS = 503;
const RETRY_AFTER = { 'Retry-After': '1' };

/**
 * Answers a request that failed because the database cannot be reached. Returns false for any other failure.
 */
export function sendUnavailable(
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
  error: unknown,
): boolean {
  if (!isDatabaseAway(error)) return false;
  const { code, message } = new DatabaseUnavailableError();
  sendProblem(exchange, STATUS, { code, message }, RETRY_AFTER);
  return true;
}

/** Refuses a mutation before it begins, and sets the status of a query that failed. */
export function useUnavailable(database: Pick<Database, 'requireReachable'>): Plugin {
  return {
    async onExecute({ args, setResultAndStopExecution }) {
      const operation = getOperationAST(args.document, args.operationName)?.operation;
      if (operation === 'mutation') {
        try {
          await database.requireReachable();
        } catch (error) {
          // A result that replaces an execution is not masked.
          const { code, message, retryable } = error as DatabaseUnavailableError;
          const errors = [new GraphQLError(message, { extensions: { code, retryable } })];
          setResultAndStopExecution({ errors, extensions: HTTP });
        }
        return undefined;
      }
      return {
        onExecuteDone({ result }) {
          const { errors, extensions } = result as ExecutionResult;
          if (errors?.some(isOfDatabase)) Object.assign(result, { extensions: { ...extensions, ...HTTP } });
        },
      };
    },
  };
}

/** Extension that Yoga reads the status from and removes. */
const HTTP = { http: { status: STATUS, headers: RETRY_AFTER } };

/** Returns whether an error, possibly masked, means that the database cannot be reached. */
const isOfDatabase = ({ extensions, originalError }: GraphQLError) =>
  extensions.code === 'DATABASE_UNAVAILABLE' || isDatabaseAway(originalError);
