import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionArgs, type ExecutionResult, execute, GraphQLError, subscribe } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { QueryLimits } from '../../config.ts';
import { DatabaseUnavailableError, isDatabaseAway } from '../../database/driver/errors.ts';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { FixativeError } from '../../errors.ts';
import { MAX_RELATED_PER_REQUEST } from '../../graphql/builder/related-limit.ts';
import { type GraphqlContext, makeEventState, type Services } from '../../graphql/context.ts';
import { Loaders } from '../../graphql/loaders.ts';
import { schema } from '../../graphql/schema.ts';
import type { Observers } from '../../observers.ts';
import {
  type BodyLimits,
  faultOfEncoding,
  isJson,
  readJson,
  type ServerContext,
  useRequestBody,
} from '../body/request-body.ts';
import { useCsrfPrevention } from '../csrf.ts';
import { makeGraphiql, wantsGraphiql } from '../pages/graphiql.ts';
import { sendProblem } from '../response/problem.ts';
import { useUnavailable } from '../response/unavailable.ts';
import type { Traffic } from '../traffic/traffic.ts';
import { useEventStream } from './event-stream.ts';
import { makeObserveOperation, type ObserveOperation } from './observe-operation.ts';
import { useOperationTimeout } from './operation-timeout.ts';
import {
  makePersistedOperations,
  type PersistedOperations,
  refusePersistedOperations,
  usePersistedOperations,
} from './persisted-operations.ts';
import { makeQueryLimits } from './query-limits.ts';
import { makeRepeatedOperations } from './repeated-operations.ts';
import { useSubscriptionLimits } from './subscription-limits.ts';
import { useHiddenSuggestions } from './suggestions.ts';

/** The caller, and a check of whether its credentials are still valid. */
export type Authorized = Pick<GraphqlContext, 'caller' | 'isStillAuthorized'>;
export type GraphqlHandler = (req: IncomingMessage, res: ServerResponse, letIn: Authorized) => Promise<void>;

export interface GraphqlOptions extends BodyLimits, QueryLimits {
  readonly introspection: boolean;
  readonly graphiql: boolean;
  readonly compression: boolean;
  readonly operationTimeoutSeconds: number;
  /** null: clients cannot name operations by their hashes. */
  readonly persisted: PersistedOperations | null;
  readonly traffic: Traffic;
  readonly observers: Observers;
}

/**
 * Serves GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/) by Yoga, for an authenticated
 * caller.
 */
export function makeGraphqlHandler(services: Services, options: GraphqlOptions, log: Logger): GraphqlHandler {
  const limits = makeQueryLimits(options, options);
  const findPersisted = options.persisted
    ? makePersistedOperations(options.persisted)
    : refusePersistedOperations;
  const graphiql = options.graphiql ? makeGraphiql({ compressed: options.compression }) : null;
  const observe = makeObserveOperation(options.observers);
  const repeated = makeRepeatedOperations({
    limits,
    findPersisted,
    timeoutSeconds: options.operationTimeoutSeconds,
    observe,
  });
  const yoga = createYoga<ServerContext & Authorized, GraphqlContext>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    logging: false,
    // request-body.ts does both, and says why.
    maxRequestBodySize: false,
    multipart: false,
    cors: false,
    batching: false,
    extraParamNames: ['documentId'],
    // graphiql.ts serves it.
    graphiql: false,
    plugins: [
      useGraphqlJs(observe),
      useCsrfPrevention(),
      useRequestBody(services.storage.spooler, options),
      usePersistedOperations(findPersisted),
      limits.plugin,
      ...(options.introspection ? [] : [useHiddenSuggestions()]),
      useSubscriptionLimits(options.traffic),
      useOperationTimeout(options.operationTimeoutSeconds),
      useUnavailable(services.database),
      repeated.plugin,
      useEventStream(),
      useStatusMessages,
    ],
    context: ({ caller, isStillAuthorized, req }) =>
      contextOf(services, { caller, isStillAuthorized }, String(req.headers['last-event-id'] ?? '') || null),
    maskedErrors: { maskError: (error) => maskError(error, log) },
  });
  return async (req, res, letIn) => {
    if (graphiql && wantsGraphiql(req)) return graphiql(req, res);
    const fault = req.method === 'POST' ? faultOfEncoding(req) : null;
    if (fault) {
      setHeaders(res);
      return sendProblem(
        { request: req, response: res },
        415,
        { code: 'BAD_REQUEST', message: fault },
        PLAIN,
      );
    }
    const context: ServerContext & Authorized = { req, res, ...letIn };
    if (isJson(req)) {
      context.params = readJson(req, res, options.maxBodyBytes);
      const params = await context.params.catch(() => null);
      const contentType = repeated.contentTypeFor(req.headers.accept);
      const result =
        params && contentType && (await repeated.run(params, req, () => contextOf(services, letIn)));
      if (result && contentType && !result.errors) return sendResult(res, contentType, result);
      if (result) context.result = result;
    }
    setHeaders(res);
    await yoga(req, res, context);
  };
}

/** A response depends on the caller and on the accepted type, and must not be cached. */
const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  Vary: 'Accept, Accept-Encoding, Authorization, Cookie, Origin',
};

function setHeaders(res: ServerResponse): void {
  for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
}

/** The accepted codings of a body (RFC 9110, 15.5.16). */
const PLAIN = { 'Accept-Encoding': 'identity' };

/** Adds a message to responses that Yoga sends with a status alone. */
const useStatusMessages: Plugin<object, ServerContext> = {
  onResponse({ response, setResponse, fetchAPI }) {
    const message = STATUS_MESSAGES[response.status];
    if (message === undefined || response.body !== null) return;
    const body = { errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] };
    const { status, headers } = response;
    const allow = headers.get('allow');
    setResponse(fetchAPI.Response.json(body, { status, headers: allow === null ? {} : { Allow: allow } }));
  },
};

const STATUS_MESSAGES: Readonly<Record<number, string>> = {
  405: 'Send operations by POST. Queries may also be sent by GET.',
  406: 'Accept application/json or application/graphql-response+json in UTF-8. Subscriptions need text/event-stream.',
};

/** Executes by graphql-js. Yoga's own executor reports other errors for some documents. */
const useGraphqlJs = (observe: ObserveOperation): Plugin => ({
  onExecute: ({ setExecuteFn }) => setExecuteFn((args: ExecutionArgs) => observe(args, () => execute(args))),
  onSubscribe: ({ setSubscribeFn }) =>
    setSubscribeFn((args: ExecutionArgs) => observe(args, () => subscribe(args))),
});

/** Sends a result as Yoga does. */
function sendResult(res: ServerResponse, contentType: string, result: ExecutionResult): void {
  const text = JSON.stringify(result);
  // One object: Node copies headers that are set one by one.
  res.writeHead(200, {
    ...HEADERS,
    'Content-Type': contentType,
    'content-length': Buffer.byteLength(text),
  });
  res.end(text);
}

function contextOf(
  services: Services,
  { caller, isStillAuthorized }: Authorized,
  lastEventId: string | null = null,
): GraphqlContext {
  const loaders = new Loaders(services, caller);
  const events = makeEventState(lastEventId);
  return { services, caller, isStillAuthorized, loaders, relatedLeft: MAX_RELATED_PER_REQUEST, events };
}

/**
 * Returns what a client may read of an error: our own message, or an id under which the log has the error.
 */
function maskError(error: unknown, log: Logger): GraphQLError {
  const thrown = error instanceof GraphQLError ? originalOf(error) : error;
  const original = isDatabaseAway(thrown)
    ? new DatabaseUnavailableError()
    : (diskErrorOf('The server', thrown) ?? thrown);
  const where = error instanceof GraphQLError ? whereOf(error) : {};
  if (error instanceof GraphQLError && original === undefined) {
    if (error.extensions.code !== undefined) return error;
    // Errors of graphql-js have no code. Those of variables belong to no field, those of arguments to their
    // field.
    const isOfArgument = error.path !== undefined && /^Argument "/.test(error.message);
    if (error.path && !isOfArgument) return error;
    return new GraphQLError(error.message, {
      ...where,
      extensions: {
        ...error.extensions,
        code: 'BAD_REQUEST',
        ...(isOfArgument ? {} : { http: { status: 400 } }),
      },
    });
  }
  if (original instanceof RangeError && /call stack/.test(original.message)) {
    return new GraphQLError('The document is nested too deeply.', {
      extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
    });
  }
  if (original instanceof DatabaseUnavailableError) {
    const { code, message, retryable } = original;
    return new GraphQLError(message, { ...where, extensions: { code, retryable } });
  }
  if (original instanceof FixativeError) {
    return new GraphQLError(original.message, {
      ...where,
      extensions: {
        code: original.code,
        ...(original.inputPath.length > 0 ? { argument: original.inputPath } : {}),
      },
    });
  }
  const id = randomUUID();
  log.error({ id, err: original }, 'an operation failed unexpectedly');
  return new GraphQLError(`Unexpected error. The log of the server has it under ${id}.`, {
    ...where,
    extensions: { code: 'INTERNAL', id, unexpected: true },
  });
}

/** Returns where an error is in the document and in the response. */
function whereOf({ nodes, source, positions, path }: GraphQLError) {
  return { nodes: nodes ?? null, source: source ?? null, positions: positions ?? null, path: path ?? null };
}

function originalOf(error: GraphQLError): unknown {
  let original: unknown = error.originalError;
  while (original instanceof GraphQLError) original = original.originalError;
  return original ?? undefined;
}
