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
  find(query: string, operationName: string | null): CompiledOperation | null;
}

/** Compiling blocks the process for some milliseconds a hundred fields. */
const MAX_COMPILED_FIELDS = 300;
/** Of all that are remembered: a compiled field takes some 3 kB. */
const MAX_FIELDS = 20_000;

/**
 * Runs documents that come again as compiled functions (https://github.com/zalando-incubator/graphql-jit) in place of the interpreter,
 * which costs more than the page that is asked for. A document is compiled when it comes a second time: to compile costs
 * more than to run it once, and of many fields it takes seconds, so those are left to the interpreter.
 * @param fieldsOf every fragment counted where it is spread.
 */
export function makeCompiledOperations(fieldsOf: (document: DocumentNode) => number): CompiledOperations {
  // Kept as long as Yoga keeps the parsed document, whose cache is bounded.
  const compiled = new WeakMap<DocumentNode, Map<string | null, CompiledOperation | null>>();
  // By text and name; the text that was wanted last is the last of it.
  const byText = new Map<string, Remembered>();
  let fields = 0;

  function compile({ schema, document, operationName }: ExecutionArgs): CompiledOperation | null {
    const name = operationName ?? null;
    const operations = compiled.get(document);
    if (!operations) {
      compiled.set(document, new Map());
      return null;
    }
    const known = operations.get(name);
    if (known !== undefined) return known;
    const result =
      fieldsOf(document) <= MAX_COMPILED_FIELDS
        ? compileQuery(schema, document, operationName ?? undefined)
        : null;
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
        remember(query, args.operationName ?? null, operation);
      setExecuteFn((given) => {
        const result = operation.run(given.contextValue, given.variableValues ?? {});
        return isPromise(result)
          ? result.then((settled) => settled ?? executeFn(given))
          : (result ?? executeFn(given));
      });
    },
  };

  function remember(query: string, name: string | null, operation: CompiledOperation): void {
    const known = byText.get(query);
    if (known?.operations.get(name) === operation) return;
    const size = fieldsOf(operation.document);
    const operations = new Map(known?.operations).set(name, operation);
    fields += size;
    byText.delete(query);
    byText.set(query, { operations, fields: (known?.fields ?? 0) + size });
    for (const [oldest, { fields: less }] of byText) {
      if (fields <= MAX_FIELDS || byText.size === 1) break;
      byText.delete(oldest);
      fields -= less;
    }
  }

  return {
    plugin,
    find(query, operationName) {
      const known = byText.get(query);
      const operation = known?.operations.get(operationName) ?? null;
      if (known && operation) {
        byText.delete(query);
        byText.set(query, known);
      }
      return operation;
    },
  };
}

interface Remembered {
  readonly operations: ReadonlyMap<string | null, CompiledOperation>;
  /** Of all of them. */
  readonly fields: number;
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
