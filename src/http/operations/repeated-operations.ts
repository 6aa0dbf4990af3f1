import { channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { GraphqlContext } from '../../graphql/context.ts';
import type { ServerContext } from '../body/request-body.ts';
import { isPromise, within } from './operation-timeout.ts';
import { type PreparedQuery, prepareQuery } from './prepared-query.ts';
import type { QueryLimiter } from './query-limits.ts';

export interface RepeatedOperations {
  readonly plugin: Plugin<object, ServerContext>;
  /** The result of a request of JSON, with masked errors; null where Yoga must answer the request. */
  run(
    params: GraphQLParams,
    req: IncomingMessage,
    makeContext: () => GraphqlContext,
  ): Promise<ExecutionResult | null>;
  /** Content-Type of an answer without errors; null where Yoga must write the answer. */
  contentTypeFor(accept: string | undefined): string | null;
}

/** Hears of each operation that the fast path answered (https://nodejs.org/api/diagnostics_channel.html): `{ query, operationName }`. */
export const FAST_PATH = 'fixative:fast-path';

const MAX_ACCEPTS = 100;
const MAX_ACCEPT_LENGTH = 200;
const PARAMETERS = new Set(['query', 'variables', 'operationName', 'extensions', 'documentId']);

/** Estimated size of a prepared field, and most bytes of all prepared queries with their texts. */
const FIELD_BYTES = 1500;
const MAX_BYTES = 32 * 1024 * 1024;
/** A larger document is not prepared: it would evict many others. */
const MAX_DOCUMENT_BYTES = MAX_BYTES / 16;

/**
 * Fast path for queries that Yoga has validated before, which most requests to a server are. Yoga's own steps around a query cost as much as
 * a page of images (docs/performance.md). The fast path decides nothing: it runs a text that Yoga has run before, answers in the
 * type that Yoga has chosen before for the same Accept, and applies the same context, limits, timeout and masking. It answers success
 * only; a request whose query fails is answered by Yoga from the beginning.
 */
export function makeRepeatedOperations(options: {
  readonly limits: QueryLimiter;
  readonly findPersisted: (params: GraphQLParams) => GraphQLParams;
  readonly timeoutSeconds: number;
}): RepeatedOperations {
  const { limits } = options;
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
    async run(given, req, makeContext) {
      const params = plain(given, options.findPersisted);
      const query = params && prepared.find(params.query, params.operationName);
      if (!query) return null;
      const variables = params.variables ?? {};
      const fault = limits.faultOfParams(given) ?? limits.faultOfCost(query.document, variables);
      if (fault) return { errors: [fault] };
      const running = query.run(makeContext(), variables);
      const result = isPromise(running) ? await within(options.timeoutSeconds, running, req) : running;
      if (result && fastPath.hasSubscribers)
        fastPath.publish({ query: params.query, operationName: params.operationName });
      return result;
    },
  };
}

/** The queries that were run, by text and name of the operation; a cache with a limit of bytes that evicts the least recently used. */
function makePreparedQueries(limits: QueryLimiter) {
  interface Entry {
    /** null: it cannot be prepared. */
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

interface PlainParams {
  readonly query: string;
  /** '' is a name, which no operation has. */
  readonly operationName: string | null;
  readonly variables?: Record<string, unknown>;
}

/** The parameters of a request that Yoga would not refuse; null for any other. */
function plain(
  given: GraphQLParams,
  findPersisted: (params: GraphQLParams) => GraphQLParams,
): PlainParams | null {
  if (Array.isArray(given)) return null;
  for (const name in given) if (!PARAMETERS.has(name)) return null;
  if (!isObjectOrNothing(given.variables) || !isObjectOrNothing(given.extensions)) return null;
  let params: GraphQLParams;
  try {
    params = findPersisted(given);
  } catch {
    return null;
  }
  const { query, operationName, variables } = params;
  if (typeof query !== 'string' || (operationName != null && typeof operationName !== 'string')) return null;
  return { query, operationName: operationName ?? null, ...(variables == null ? {} : { variables }) };
}

const isObjectOrNothing = (value: unknown) =>
  value == null || (typeof value === 'object' && !Array.isArray(value));
