import { channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { GraphqlContext } from '../../graphql/context.ts';
import type { ServerContext } from '../body/request-body.ts';
import type { ObserveOperation } from './observe-operation.ts';
import { isPromise, within } from './operation-timeout.ts';
import { type PreparedQuery, prepareQuery } from './prepared-query.ts';
import type { QueryLimiter } from './query-limits.ts';

export interface RepeatedOperations {
  readonly plugin: Plugin<object, ServerContext>;
  /** Runs the query of a JSON request, with masked errors; null: Yoga must answer the request. */
  run(
    params: GraphQLParams,
    req: IncomingMessage,
    makeContext: () => GraphqlContext,
  ): Promise<ExecutionResult | null>;
  /** Returns the Content-Type of a response without errors; null: Yoga must write the response. */
  contentTypeFor(accept: string | undefined): string | null;
}

/**
 * Diagnostics channel of the operations that the fast path answered: `{ query, operationName }`
 * (https://nodejs.org/api/diagnostics_channel.html).
 */
export const FAST_PATH = 'fixative:fast-path';

/** Most Accept headers to remember, and the longest. */
const MAX_ACCEPTS = 100;
const MAX_ACCEPT_LENGTH = 200;
const PARAMETERS = new Set(['query', 'variables', 'operationName', 'extensions', 'documentId']);

/** Estimated size of a prepared field, and most bytes of all prepared queries with their texts. */
const FIELD_BYTES = 1500;
const MAX_BYTES = 32 * 1024 * 1024;
/** A larger document is not prepared: it would evict many others. */
const MAX_DOCUMENT_BYTES = MAX_BYTES / 16;

/**
 * Fast path for operations that Yoga has already parsed, validated and compiled, as most requests repeat one.
 * Yoga's own steps around a query cost as much as a page of images (docs/performance.md). The fast path
 * decides nothing: it runs a text that Yoga has run before, answers in the type that Yoga chose for the same
 * Accept header, and applies the same context, limits, timeout and masking. It answers success only; Yoga
 * answers a failed query from the beginning.
 */
export function makeRepeatedOperations(options: {
  readonly limits: QueryLimiter;
  readonly findPersisted: (params: GraphQLParams) => GraphQLParams;
  readonly timeoutSeconds: number;
  readonly observe: ObserveOperation;
}): RepeatedOperations {
  const { limits, observe } = options;
  const contentTypes = new Map<string, string>();
  const prepared = makePreparedQueries(limits);
  const fastPath = channel(FAST_PATH);

  return {
    plugin: {
      onParams({ context, setResult }) {
        const { result } = context as unknown as ServerContext;
        if (result) setResult(result);
      },
      onExecute({ args }) {
        const { query } = (args.contextValue as { params?: GraphQLParams }).params ?? {};
        if (query) prepared.add(query, args as ExecutionArgs);
      },
      onResponse({ serverContext, response }) {
        const { params, req } = serverContext;
        const { accept = '' } = req.headers;
        const type = response.headers.get('content-type') ?? '';
        if (
          !params ||
          response.status !== 200 ||
          !/^application\/(graphql-response\+)?json; charset=utf-8$/.test(type)
        )
          return;
        if (contentTypes.size < MAX_ACCEPTS && accept.length <= MAX_ACCEPT_LENGTH)
          contentTypes.set(accept, type);
      },
    },
    contentTypeFor: (accept = '') => contentTypes.get(accept) ?? null,
    async run(params, req, makeContext) {
      const request = readPlainRequest(params, options.findPersisted);
      const query = request && prepared.find(request.query, request.operationName);
      if (!query) return null;
      const variables = request.variables ?? {};
      const fault = limits.faultOfParams(params) ?? limits.faultOfCost(query.document, variables);
      if (fault) return { errors: [fault] };
      const { document } = query;
      const { operationName } = request;
      const running = observe({ document, operationName }, () => query.run(makeContext(), variables));
      const result = isPromise(running) ? await within(options.timeoutSeconds, running, req) : running;
      if (result && fastPath.hasSubscribers)
        fastPath.publish({ query: request.query, operationName: request.operationName });
      return result;
    },
  };
}

/**
 * Caches prepared queries by text and name of the operation. Evicts the least recently used beyond its limit
 * of bytes.
 */
function makePreparedQueries(limits: QueryLimiter) {
  interface Entry {
    /** By name of the operation; null: it cannot be prepared. */
    readonly operations: Map<string | null, PreparedQuery | null>;
    bytes: number;
  }
  const entries = new Map<string, Entry>();
  let bytes = 0;

  return {
    add(text: string, { schema, document, operationName = null }: ExecutionArgs): void {
      const size = text.length + FIELD_BYTES * limits.fieldsOf(document);
      if (size > MAX_DOCUMENT_BYTES) return;
      const entry = entries.get(text) ?? { operations: new Map(), bytes: 0 };
      if (entry.operations.has(operationName)) return;
      entry.operations.set(operationName, prepareQuery(schema, document, operationName));
      entry.bytes += size;
      bytes += size;
      entries.set(text, entry);
      for (const [oldest, { bytes: freed }] of entries) {
        if (bytes <= MAX_BYTES) break;
        entries.delete(oldest);
        bytes -= freed;
      }
    },
    find(text: string, operationName: string | null): PreparedQuery | null {
      const entry = entries.get(text);
      const query = entry?.operations.get(operationName) ?? null;
      if (entry && query) {
        entries.delete(text);
        entries.set(text, entry);
      }
      return query;
    },
  };
}

/** Parameters that Yoga would not refuse. */
interface PlainRequest {
  readonly query: string;
  /** null: none. The name '' is a name, which no operation has. */
  readonly operationName: string | null;
  readonly variables?: Record<string, unknown>;
}

/** Reads parameters that Yoga would not refuse; null: any other. */
function readPlainRequest(
  sent: GraphQLParams,
  findPersisted: (params: GraphQLParams) => GraphQLParams,
): PlainRequest | null {
  if (Array.isArray(sent)) return null;
  for (const name in sent) if (!PARAMETERS.has(name)) return null;
  if (!isObjectOrNull(sent.variables) || !isObjectOrNull(sent.extensions)) return null;
  let params: GraphQLParams;
  try {
    params = findPersisted(sent);
  } catch {
    return null;
  }
  const { query, operationName, variables } = params;
  if (typeof query !== 'string' || (operationName != null && typeof operationName !== 'string')) return null;
  return { query, operationName: operationName ?? null, ...(variables == null ? {} : { variables }) };
}

const isObjectOrNull = (value: unknown) =>
  value == null || (typeof value === 'object' && !Array.isArray(value));
