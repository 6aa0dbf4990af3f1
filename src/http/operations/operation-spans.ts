import { type ExecutionArgs, type ExecutionResult, getOperationAST } from 'graphql';
import type { Tracing } from '../../tracing.ts';

/** Runs an operation. A result that is there at once is returned at once. */
export type TraceOperation = <Result>(
  operation: Pick<ExecutionArgs, 'document' | 'operationName'>,
  run: () => Result | Promise<Result>,
) => Result | Promise<Result>;

/**
 * Returns a function that records a span for an operation
 * (https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/). It has neither document nor
 * variables.
 */
export function makeOperationSpans(tracing: Tracing | null): TraceOperation {
  if (tracing === null) return (_, run) => run();
  return ({ document, operationName }, run) => {
    const definition = getOperationAST(document, operationName);
    const type = definition?.operation ?? 'query';
    const name = definition?.name?.value;
    const attributes = {
      'graphql.operation.type': type,
      ...(name === undefined ? {} : { 'graphql.operation.name': name }),
    };
    return tracing.during(name === undefined ? type : `${type} ${name}`, { attributes }, async (span) => {
      const result = await run();
      const { errors } = (result ?? {}) as ExecutionResult;
      if (errors?.length) {
        span.setAttribute('fixative.errors', errors.length);
        if (errors.some(({ originalError }) => originalError)) span.setStatus({ code: 2 });
      }
      return result;
    });
  };
}
