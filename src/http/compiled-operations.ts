import type { DocumentNode, ExecutionArgs } from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import type { Plugin } from 'graphql-yoga';

/**
 * Runs documents that come again as compiled functions (https://github.com/zalando-incubator/graphql-jit) in place of the interpreter,
 * which costs more than the page that is asked for. A document is compiled when it comes a second time: to compile costs
 * more than to run it once, and of many fields it takes seconds, so those are left to the interpreter. What is compiled is kept as long as Yoga keeps the parsed document, whose cache is bounded.
 */
export function useCompiledOperations(isSmall: (document: DocumentNode) => boolean): Plugin {
  const compiled = new WeakMap<DocumentNode, Map<string, CompiledQuery | null>>();

  function find({ schema, document, operationName }: ExecutionArgs): CompiledQuery | null {
    const name = operationName ?? '';
    const operations = compiled.get(document);
    if (!operations) {
      compiled.set(document, new Map());
      return null;
    }
    const known = operations.get(name);
    if (known !== undefined) return known;
    if (!isSmall(document)) {
      operations.set(name, null);
      return null;
    }
    const result = compileQuery(schema, document, operationName ?? undefined);
    const query = isCompiledQuery(result) ? result : null;
    operations.set(name, query);
    return query;
  }

  return {
    onExecute({ args, setExecuteFn }) {
      const query = find(args as ExecutionArgs);
      if (!query) return;
      setExecuteFn(({ rootValue, contextValue, variableValues }) =>
        query.query(rootValue, contextValue, variableValues ?? {}),
      );
    },
  };
}
