import { type DocumentNode, type ExecutionArgs, getOperationAST } from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import type { GraphQLParams, Plugin } from 'graphql-yoga';

/** A query or mutation that was let through once: parsed, validated, weighed and compiled. */
export interface CompiledOperation {
  readonly document: DocumentNode;
  readonly run: CompiledQuery['query'];
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
    const operation = result && isCompiledQuery(result) ? { document, run: result.query } : null;
    operations.set(name, operation);
    return operation;
  }

  const plugin: Plugin = {
    onExecute({ args, setExecuteFn }) {
      const operation = compile(args as ExecutionArgs);
      if (!operation) return;
      const { query } = (args.contextValue as { params?: GraphQLParams }).params ?? {};
      if (query && getOperationAST(args.document, args.operationName)?.operation !== 'subscription')
        remember(keyOf(query, args.operationName ?? ''), operation);
      setExecuteFn(({ rootValue, contextValue, variableValues }) =>
        operation.run(rootValue, contextValue, variableValues ?? {}),
      );
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

/** A name has no space in it. */
const keyOf = (query: string, operationName: string) =>
  operationName === '' ? query : `${operationName} ${query}`;
