import { channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import type { ExecutionResult, GraphQLError } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { GraphqlContext } from '../graphql/context.ts';
import type { CompiledOperations } from './compiled-operations.ts';
import { isPromise, within } from './operation-timeout.ts';
import type { QueryLimiter } from './query-limits.ts';
import type { ServerContext } from './request-body.ts';

export interface RepeatedOperations {
  readonly plugin: Plugin<object, ServerContext>;
  /** What a request of JSON is answered with; null where Yoga is to be asked from the beginning. Errors are masked already. */
  run(
    params: GraphQLParams,
    req: IncomingMessage,
    makeContext: () => GraphqlContext,
  ): Promise<ExecutionResult | null>;
  /** The Content-Type of an answer without errors; null where Yoga is to write it. */
  contentTypeFor(accept: string | undefined): string | null;
}

/** Hears of each operation that went the short way (https://nodejs.org/api/diagnostics_channel.html): `{ query, operationName }`. */
export const SHORT_WAY = 'fixative:short-way';

const MAX_ACCEPTS = 100;
const MAX_ACCEPT_LENGTH = 200;
const PARAMETERS = new Set(['query', 'variables', 'operationName', 'extensions', 'documentId']);

/**
 * The short way of operations that come again, which most requests to a server are. Nothing is decided here: a document is run when Yoga has
 * let the same text through before, is answered in the type that Yoga has chosen before for the same Accept, and has the same
 * context, limits, time-out and masking. Whatever has errors is written by Yoga, and so is whatever is not as plain as can be. It
 * leaves out what Yoga does around an operation, which costs as much as the page that is asked for (docs/performance.md).
 */
export function makeRepeatedOperations(options: {
  readonly operations: CompiledOperations;
  readonly limits: QueryLimiter;
  readonly findPersisted: (params: GraphQLParams) => GraphQLParams;
  readonly timeoutSeconds: number;
  readonly mask: (error: unknown) => GraphQLError;
}): RepeatedOperations {
  const { operations, limits, mask } = options;
  const contentTypes = new Map<string, string>();
  const shortWay = channel(SHORT_WAY);

  return {
    plugin: {
      onParams({ context, setResult }) {
        const { result } = context as unknown as ServerContext;
        if (result) setResult(result);
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
      const operation = params && operations.find(params.query, params.operationName);
      if (!operation) return null;
      if (shortWay.hasSubscribers)
        shortWay.publish({ query: params.query, operationName: params.operationName });
      const variables = params.variables ?? {};
      const fault = limits.faultOfParams(given) ?? limits.faultOfCost(operation.document, variables);
      if (fault) return { errors: [fault] };
      try {
        const running = operation.run(makeContext(), variables);
        const result = isPromise(running) ? await within(options.timeoutSeconds, running, req) : running;
        if (result === null) return null;
        return result.errors ? { ...result, errors: result.errors.map(mask) } : result;
      } catch (error) {
        return { errors: [mask(error)] };
      }
    },
  };
}

interface PlainParams {
  readonly query: string;
  /** '' is a name, which no operation has. */
  readonly operationName: string | null;
  readonly variables?: Record<string, unknown>;
}

/** What has nothing in it that Yoga would refuse; null otherwise. */
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
