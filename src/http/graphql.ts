import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import DataLoader from 'dataloader';
import { GraphQLError } from 'graphql';
import { createYoga } from 'graphql-yoga';
import type { Logger } from 'pino';
import { visibleTo } from '../auth/authorization.ts';
import type { QueryLimits } from '../config.ts';
import { FixativeError } from '../errors.ts';
import type { GraphqlContext, Services } from '../graphql/context.ts';
import { makeCopyLoader } from '../graphql/copy.ts';
import { makeFamilyLoaders } from '../graphql/family.ts';
import { makeGenerationLoader } from '../graphql/generation.ts';
import { makeProvenanceLoader } from '../graphql/provenance.ts';
import { MAX_RELATED_PER_REQUEST } from '../graphql/related.ts';
import { schema } from '../graphql/schema.ts';
import { findByHashes, findPurges } from '../image/duplicates.ts';
import { findImages, type Image } from '../image/image.ts';
import { useCompiledOperations } from './compiled-operations.ts';
import { useCsrfPrevention } from './csrf.ts';
import { GRAPHIQL_TABS } from './graphiql-tabs.ts';
import { useOperationTimeout } from './operation-timeout.ts';
import { type PersistedOperations, usePersistedOperations } from './persisted-operations.ts';
import { type DocumentWeights, useQueryLimits } from './query-limits.ts';
import { type BodyLimits, type ServerContext, useRequestBody } from './request-body.ts';
import { useSubscriptionLimits } from './subscription-limits.ts';
import { useHiddenSuggestions } from './suggestions.ts';

import type { Traffic } from './traffic.ts';

/** Who asks, and whether that one would be let in again. */
export type LetIn = Pick<GraphqlContext, 'caller' | 'isLetIn'>;
export type GraphqlHandler = (req: IncomingMessage, res: ServerResponse, letIn: LetIn) => Promise<void>;

export interface GraphqlOptions extends BodyLimits, QueryLimits {
  readonly introspection: boolean;
  readonly graphiql: boolean;
  readonly operationTimeoutSeconds: number;
  /** null: none are known. */
  readonly persisted: PersistedOperations | null;
  readonly traffic: Traffic;
}

/** Compiling blocks the process for some milliseconds a hundred fields. */
const MAX_COMPILED_FIELDS = 300;

/** GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/) by Yoga; the caller is known before it is asked. */
export function makeGraphqlHandler(services: Services, options: GraphqlOptions, log: Logger): GraphqlHandler {
  const readOrder = services.storage.stores.map((store) => store.name);
  const weights: DocumentWeights = new WeakMap();
  const yoga = createYoga<ServerContext & LetIn, GraphqlContext>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    logging: false,
    // Both are done by the server around it (request-body.ts says why).
    maxRequestBodySize: false,
    multipart: false,
    cors: false,
    batching: false,
    extraParamNames: ['documentId'],
    renderGraphiQL,
    graphiql: options.graphiql && {
      title: 'Fixative',
      defaultTabs: [...GRAPHIQL_TABS],
      credentials: 'same-origin',
    },
    plugins: [
      useCsrfPrevention(),
      useRequestBody(services.storage.spooler, options),
      ...(options.persisted ? [usePersistedOperations(options.persisted)] : []),
      useQueryLimits(options, { ...options, weights }),
      ...(options.introspection ? [] : [useHiddenSuggestions()]),
      useSubscriptionLimits(options.traffic),
      useCompiledOperations((document) => (weights.get(document)?.weight.fields ?? 0) <= MAX_COMPILED_FIELDS),
      useOperationTimeout(options.operationTimeoutSeconds),
    ],
    context: ({ caller, isLetIn }) => ({
      services,
      caller,
      isLetIn,
      imageByUuid: new DataLoader((uuids: readonly string[]) =>
        findImages(services.database, uuids, visibleTo(caller)),
      ),
      imagesByHash: new DataLoader((hashes: readonly string[]) =>
        findByHashes(services.database, hashes, visibleTo(caller)),
      ),
      ...makeFamilyLoaders(services.database, visibleTo(caller)),
      relatedLeft: MAX_RELATED_PER_REQUEST,
      purgeOf: new DataLoader((images: readonly Pick<Image, 'sha256' | 'userId'>[]) =>
        findPurges(services.database, images),
      ),
      copiesOfBlob: makeCopyLoader(services.database, readOrder),
      generationOfImage: makeGenerationLoader(services.database),
      provenanceOfBlob: makeProvenanceLoader(services.database),
    }),
    maskedErrors: { maskError: (error) => mask(error, log) },
  });
  return async (req, res, letIn) => {
    await yoga(req, res, { req, res, ...letIn });
  };
}

/** What a client may read of an error: our own say what they mean; of anything else only an id, under which the log has it. */
function mask(error: unknown, log: Logger): GraphQLError {
  const original = error instanceof GraphQLError ? originalOf(error) : error;
  const where = error instanceof GraphQLError ? { nodes: error.nodes ?? null, path: error.path ?? null } : {};
  if (error instanceof GraphQLError && original === undefined) return error;
  if (original instanceof RangeError && /call stack/.test(original.message)) {
    return new GraphQLError('The document is nested too deep.', {
      extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
    });
  }
  if (original instanceof FixativeError) {
    return new GraphQLError(original.message, {
      ...where,
      extensions: { code: original.code, ...(original.path.length > 0 ? { argument: original.path } : {}) },
    });
  }
  const id = randomUUID();
  log.error({ id, err: original }, 'an operation failed unexpectedly');
  return new GraphQLError(`Unexpected error; the log of the server has it under ${id}.`, {
    ...where,
    extensions: { code: 'INTERNAL', id, unexpected: true },
  });
}

function originalOf(error: GraphQLError): unknown {
  let original: unknown = error.originalError;
  while (original instanceof GraphQLError) original = original.originalError;
  return original ?? undefined;
}
