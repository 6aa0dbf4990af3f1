import type { IncomingMessage } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { ServerContext } from '../body/request-body.ts';

/**
 * Answers an operation that takes too long. What it has begun is not undone: a resolver cannot be stopped from outside. The time
 * counts from when the request has come whole, for files may be long on their way; how long is limited elsewhere (body-pace.ts).
 * Subscriptions last as long as they are wanted.
 */
export function useOperationTimeout(seconds: number): Plugin {
  return {
    onExecute({ args, executeFn, setExecuteFn }) {
      const { req } = args.contextValue as unknown as ServerContext;
      setExecuteFn((given: unknown) => {
        const result = executeFn(given as never);
        return isPromise(result) ? within(seconds, result, req) : result;
      });
    },
  };
}

export const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** The result, or after so many seconds that there is none. */
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
    `The operation took longer than the ${seconds} seconds that it may (OPERATION_TIMEOUT_SECONDS). What it had begun may have been done.`,
    { extensions: { code: 'TIMED_OUT', http: { status: 503 } } },
  );
}
