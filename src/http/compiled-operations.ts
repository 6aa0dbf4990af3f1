import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
} from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { isPromise } from './operation-timeout.ts';

/** A query or mutation that was let through once: parsed, validated, weighed and compiled. */
export interface CompiledOperation {
  readonly document: DocumentNode;
  /** null: nothing was run, because the variables do not fit, which the interpreter says better. */
  readonly run: (
    context: unknown,
    variables: Readonly<Record<string, unknown>>,
  ) => ExecutionResult | null | Promise<ExecutionResult | null>;
}

export interface CompiledOperations {
  readonly plugin: Plugin;
  /** What Yoga would run for this, when it has run it twice; null where it has to be asked. */
  find(query: string, operationName: string): CompiledOperation | null;
}

const MAX_OPERATIONS = 1000;

/**
 * Runs documents that come again as compiled functions (https://github.com/zalando-incubator/graphql-jit) in place of the interpreter,
 * which costs more than the page that is asked for. A document is compiled when it comes a second time: to compile costs
 * more than to run it once, and of many fields it takes seconds, so those are left to the interpreter.
 */
export function makeCompiledOperations(isSmall: (document: DocumentNode) => boolean): CompiledOperations {
  // Kept as long as Yoga keeps the parsed document, whose cache is bounded.
  const compiled = new WeakMap<DocumentNode, Map<string, CompiledOperation | null>>();
  // By name and text; the one that was wanted last is the last of it.
  const byText = new Map<string, CompiledOperation>();

  function compile({ schema, document, operationName }: ExecutionArgs): CompiledOperation | null {
    const name = operationName ?? '';
    const operations = compiled.get(document);
    if (!operations) {
      compiled.set(document, new Map());
      return null;
    }
    const known = operations.get(name);
    if (known !== undefined) return known;
    const result = isSmall(document) ? compileQuery(schema, document, operationName ?? undefined) : null;
    const operation = result && isCompiledQuery(result) ? makeOperation(document, result) : null;
    operations.set(name, operation);
    return operation;
  }

  const plugin: Plugin = {
    onExecute({ args, executeFn, setExecuteFn }) {
      const operation = compile(args as ExecutionArgs);
      if (!operation) return;
      const { query } = (args.contextValue as { params?: GraphQLParams }).params ?? {};
      if (query && getOperationAST(args.document, args.operationName)?.operation !== 'subscription')
        remember(keyOf(query, args.operationName ?? ''), operation);
      setExecuteFn((given) => {
        const result = operation.run(given.contextValue, given.variableValues ?? {});
        return isPromise(result)
          ? result.then((settled) => settled ?? executeFn(given))
          : (result ?? executeFn(given));
      });
    },
  };

  function remember(key: string, operation: CompiledOperation): void {
    byText.delete(key);
    const [oldest] = byText.keys();
    if (byText.size >= MAX_OPERATIONS && oldest !== undefined) byText.delete(oldest);
    byText.set(key, operation);
  }

  return {
    plugin,
    find(query, operationName) {
      const key = keyOf(query, operationName);
      const operation = byText.get(key) ?? null;
      if (operation) remember(key, operation);
      return operation;
    },
  };
}

function makeOperation(document: DocumentNode, { query }: CompiledQuery): CompiledOperation {
  const settle = (result: ExecutionResult) => {
    if (!result.errors) return result;
    return 'data' in result ? inOrder(result, document) : null;
  };
  return {
    document,
    run(context, variables) {
      const result = query(undefined, context, variables as Record<string, unknown>);
      return isPromise(result) ? result.then(settle) : settle(result);
    },
  };
}

/** As graphql-js has it: errors first, each with its place in the document, of which a compiled function knows line and column. */
function inOrder({ errors = [], ...rest }: ExecutionResult, { loc }: DocumentNode): ExecutionResult {
  return {
    errors: errors.map((error) => {
      const { message, path, locations, extensions, originalError } = error;
      const positions = locations?.map(({ line, column }) =>
        positionOf(loc?.source.body ?? '', line, column),
      );
      return new GraphQLError(message, {
        ...(loc && positions ? { source: loc.source, positions } : {}),
        path: path ?? null,
        originalError: originalError ?? null,
        extensions,
      });
    }),
    ...rest,
  };
}

/** A name has no space in it. */
const keyOf = (query: string, operationName: string) =>
  operationName === '' ? query : `${operationName} ${query}`;

/** @param line from 1 on, as is the column. */
function positionOf(text: string, line: number, column: number): number {
  const ends = text.matchAll(/\r\n|[\n\r]/g);
  let start = 0;
  for (let before = line - 1; before > 0; before--) {
    const { value } = ends.next();
    start = value ? value.index + value[0].length : start;
  }
  return start + column - 1;
}
