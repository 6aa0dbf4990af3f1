import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { GraphQLError } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { FixativeError } from '../../errors.ts';
import { badRequest } from '../body/bad-request.ts';

export interface PersistedOperations {
  /** Documents by their SHA-256, in hexadecimal digits. */
  readonly documents: ReadonlyMap<string, string>;
  /** Whether all other operations are refused. */
  readonly only: boolean;
}

/**
 * Reads a manifest: a JSON object from SHA-256 to document, as the client preset of graphql-codegen writes it
 * (`persistedDocuments`), or Apollo's, `{ operations: [{ id, body }] }`.
 * @throws FixativeError INVALID_INPUT that names the file.
 */
export async function readPersistedOperations(file: string): Promise<Map<string, string>> {
  const refuse = (why: string, cause?: unknown) =>
    new FixativeError('INVALID_INPUT', `PERSISTED_OPERATIONS_FILE ${file}: ${why}.`, { cause });
  let manifest: unknown;
  try {
    manifest = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw refuse('it cannot be read as JSON', error);
  }
  const { operations } = manifest as { operations?: unknown };
  const entries: [unknown, unknown][] = Array.isArray(operations)
    ? operations.map(({ id, body }: { id?: unknown; body?: unknown }) => [id, body])
    : Object.entries(manifest ?? {});
  const documents = new Map<string, string>();
  for (const [key, document] of entries) {
    const hash = String(key).replace(/^sha256:/, '');
    if (typeof document !== 'string') throw refuse(`${hash} has no document`);
    if (createHash('sha256').update(document).digest('hex') !== hash)
      throw refuse(`${hash} is not the SHA-256 of its document`);
    documents.set(hash, document);
  }
  return documents;
}

/**
 * Runs operations that clients name by their hashes: `extensions.persistedQuery.sha256Hash`, as Apollo's
 * clients do, or `documentId` (`sha256:…` or the digits alone), as in the appendix of GraphQL over HTTP.
 * Clients cannot add operations.
 */
export function usePersistedOperations(find: (params: GraphQLParams) => GraphQLParams): Plugin {
  return {
    onParams({ params, setParams }) {
      setParams(find(params));
    },
  };
}

/**
 * Returns a function that adds the document to the parameters of a request with a hash. Parameters with a
 * document stay as they are.
 * @throws GraphQLError PERSISTED_QUERY_NOT_FOUND
 */
export function makePersistedOperations({
  documents,
  only,
}: PersistedOperations): (params: GraphQLParams) => GraphQLParams {
  const listed = new Set(documents.values());
  return (params) => {
    const hash = hashOf(params);
    if (params.query) {
      if (only && !listed.has(params.query)) throw refuse('Only persisted operations are allowed.');
      return params;
    }
    if (hash === null) {
      if (only) throw refuse('Only persisted operations are allowed. Name one by its hash.');
      return params;
    }
    const query = documents.get(hash);
    if (query === undefined) throw refuse('PersistedQueryNotFound: no persisted operation has this hash.');
    return { ...params, query };
  };
}

function hashOf(params: GraphQLParams): string | null {
  const { documentId } = params as { documentId?: unknown };
  const persisted = params.extensions?.persistedQuery as { sha256Hash?: unknown } | undefined;
  const hash = persisted?.sha256Hash ?? documentId;
  return typeof hash === 'string' ? hash.replace(/^sha256:/, '').toLowerCase() : null;
}

/**
 * Refuses a hash when persisted operations are off. Apollo's clients know this message and then send
 * documents: https://www.apollographql.com/docs/apollo-server/performance/apq
 */
export function refusePersistedOperations(params: GraphQLParams): GraphQLParams {
  if (params.query || hashOf(params) === null) return params;
  throw refuse('PersistedQueryNotSupported', 'PERSISTED_QUERY_NOT_SUPPORTED');
}

function refuse(message: string, code = 'PERSISTED_QUERY_NOT_FOUND'): GraphQLError {
  const error = badRequest(400, message);
  error.extensions.code = code;
  return error;
}
