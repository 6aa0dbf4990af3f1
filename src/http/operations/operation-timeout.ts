import type { IncomingMessage } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { ServerContext } from '../body/request-body.ts';

/**
 * Answers an operation that takes too long. Its work goes on, because a resolver cannot be stopped. The time
 * starts when the request is complete, because an upload may be slow (body-pace.ts limits that).
 * Subscriptions have no limit.
 */
export function useOperationTimeout(seconds: number): Plugin {
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const { req } = args.contextValue as unknown as ServerContext;
      setExecuteFn((executionArgs: unknown) => {
        const result = executeFn(executionArgs as never);
        return isPromise(result) ? within(seconds, result, req) : result;
      });
    },
  };
}

export const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** Returns the result, or a TIMED_OUT error when `seconds` have passed. */
export function within<Result>(
  seconds: number,
  result: Promise<Result>,
  req: IncomingMessage,
): Promise<Result | ExecutionResult> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const start = () => {
      timer = setTimeout(() => resolve({ data: null, errors: [tooLong(seconds)] }), seconds * 1000);
    };
    if (req.complete) start();
    else req.once('end', start);
    const stop = () => {
      clearTimeout(timer);
      req.off('end', start);
    };
    result.then(
      (value) => {
        stop();
        resolve(value);
      },
      (error: unknown) => {
        stop();
        reject(error as Error);
      },
    );
  });
}

function tooLong(seconds: number): GraphQLError {
  return new GraphQLError(
    `The operation took longer than ${seconds} seconds (OPERATION_TIMEOUT_SECONDS). Its work may still be completed.`,
    { extensions: { code: 'TIMED_OUT', http: { status: 503 } } },
  );
}
