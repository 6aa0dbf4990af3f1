import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { ERROR_CODES } from '../../errors.ts';
import type { Observers } from '../../observers.ts';

/** Runs an operation. A result that is there at once is returned at once. */
export type ObserveOperation = <Result>(
  operation: Pick<ExecutionArgs, 'document' | 'operationName'>,
  run: () => Result | Promise<Result>,
) => Result | Promise<Result>;

/**
 * Returns a function that counts and times an operation, and records a span for it
 * (https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/). The span has neither document nor
 * variables. Call it with validated documents only: the names of their fields are those of the schema.
 */
export function makeObserveOperation({ metrics, tracing }: Observers): ObserveOperation {
  const { operations } = metrics;
  const observe: ObserveOperation = ({ document, operationName }, run) => {
    const operation = labelOf(document, operationName);
    const since = performance.now();
    const note = (result: unknown) =>
      operations.note({ operation, outcome: outcomeOf(result) }, (performance.now() - since) / 1000);
    const result = run();
    if (!(result instanceof Promise)) {
      note(result);
      return result;
    }
    result.then(note, () => note(FAILED));
    return result;
  };
  if (tracing === null) return observe;
  return (operation, run) =>
    tracing.during(...spanOf(operation), async (span) => {
      const result = await observe(operation, run);
      const { errors } = (result ?? {}) as ExecutionResult;
      if (errors?.length) {
        span.setAttribute('fixative.errors', errors.length);
        if (errors.some(({ originalError }) => originalError)) span.setStatus({ code: 2 });
      }
      return result;
    });
}

const FAILED = { errors: [{ extensions: { code: 'INTERNAL' } }] };

/** Returns `ok`, or the code of the first error. */
function outcomeOf(result: unknown): string {
  const { errors } = (result ?? {}) as Pick<ExecutionResult, 'errors'>;
  if (!errors?.length) return 'ok';
  const code = errors[0]?.extensions?.code;
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? code : 'INTERNAL';
}

const labels = new WeakMap<OperationDefinitionNode, string>();

/** Returns the type of the operation with the field that it selects, such as `query images`, or `several`. */
function labelOf(document: DocumentNode, operationName: string | null | undefined): string {
  const operation = getOperationAST(document, operationName);
  if (!operation) return 'none';
  const known = labels.get(operation);
  if (known !== undefined) return known;
  const [first, ...others] = operation.selectionSet.selections;
  const field = first?.kind === Kind.FIELD && others.length === 0 ? first.name.value : 'several';
  const label = `${operation.operation} ${field}`;
  labels.set(operation, label);
  return label;
}

function spanOf({ document, operationName }: Parameters<ObserveOperation>[0]) {
  const definition = getOperationAST(document, operationName);
  const type = definition?.operation ?? 'query';
  const name = definition?.name?.value;
  const attributes = {
    'graphql.operation.type': type,
    ...(name === undefined ? {} : { 'graphql.operation.name': name }),
  };
  return [name === undefined ? type : `${type} ${name}`, { attributes }] as const;
}
