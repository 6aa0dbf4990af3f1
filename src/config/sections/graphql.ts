import { z } from 'zod';
import { bytes, flag, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const QUERY_LIMITS = {
  title: 'Limits of a GraphQL request',
  about: ['docs/limits.md says what each limit is for, and what a client is told.'],
  settings: {
    MAX_DOCUMENT_BYTES: {
      property: 'maxDocumentBytes',
      parser: bytes,
      default: '100000',
      description: 'Most bytes of a document.',
    },
    MAX_QUERY_TOKENS: {
      property: 'maxQueryTokens',
      parser: wholeNumber(100, 100_000),
      default: '2000',
      description: 'Tokens of a document.',
    },
    MAX_QUERY_FIELDS: {
      property: 'maxQueryFields',
      parser: wholeNumber(50, 100_000),
      default: '1000',
      description: 'Fields of a document. Those of a fragment count wherever it is spread.',
    },
    MAX_QUERY_DEPTH: {
      property: 'maxQueryDepth',
      parser: wholeNumber(3, 100),
      default: '12',
      description: 'Levels of fields.',
    },
    MAX_QUERY_ALIASES: {
      property: 'maxQueryAliases',
      parser: wholeNumber(0, 10_000),
      default: '50',
      description: 'Aliases of a document.',
    },
    MAX_QUERY_DIRECTIVES: {
      property: 'maxQueryDirectives',
      parser: wholeNumber(0, 10_000),
      default: '50',
      description: 'Directives of a document.',
    },
    MAX_QUERY_COST: {
      property: 'maxQueryCost',
      parser: wholeNumber(100, 100_000_000),
      default: '50000',
      description: 'Values that a response may have. A list multiplies its fields by `first` or `last`.',
    },
    MAX_QUERY_MUTATIONS: {
      property: 'maxQueryMutations',
      parser: wholeNumber(1, 10_000),
      default: '20',
      description: 'Mutations of an operation.',
    },
    MAX_QUERY_GENERATIONS: {
      property: 'maxQueryGenerations',
      parser: wholeNumber(1, 10_000),
      default: '20',
      description: 'Images that a document may generate in all (n, panels, pages).',
    },
    MAX_VARIABLES_BYTES: {
      property: 'maxVariablesBytes',
      parser: bytes,
      default: '2 MiB',
      description: 'Bytes of the variables.',
    },
    MAX_VARIABLES_DEPTH: {
      property: 'maxVariablesDepth',
      parser: wholeNumber(5, 1000),
      default: '40',
      description: 'Levels of the variables.',
    },
    MAX_VARIABLES_LIST: {
      property: 'maxVariablesList',
      parser: wholeNumber(100, 1_000_000),
      default: '10000',
      description: 'Entries of one list in the variables.',
    },
    TOTAL_COUNT_LIMIT: {
      property: 'totalCountLimit',
      parser: wholeNumber(1, 100_000_000),
      default: '100000',
      description: 'Images that `totalCount` counts. A larger number is an estimate.',
    },
  },
} as const satisfies Section;

export const SCHEMA_ACCESS = {
  title: 'Introspection, GraphiQL and persisted operations',
  settings: {
    INTROSPECTION: {
      property: 'introspection',
      parser: flag,
      default: 'true',
      description:
        'Whether clients can read the schema. Turn it off in production if all operations come from your own clients. Errors then suggest no names either.',
    },
    GRAPHIQL: {
      property: 'graphiql',
      parser: flag,
      default: 'true',
      description: 'Whether GraphiQL is served. Turn it off in the same case.',
    },
    PERSISTED_OPERATIONS: {
      property: 'persistedOperations',
      parser: z.enum(['off', 'allow', 'only'], 'off, allow or only').describe('One of off, allow, only'),
      default: 'off',
      description:
        'Whether clients may name operations by their hashes. allow: hashes and documents; only: nothing but the operations of the file.',
    },
    PERSISTED_OPERATIONS_FILE: {
      property: 'persistedOperationsFile',
      parser: z.string(),
      example: './persisted-documents.json',
      description:
        "JSON object from SHA-256 to document, as graphql-codegen writes it (persistedDocuments), or Apollo's manifest. Needed unless PERSISTED_OPERATIONS is off.",
    },
  },
} as const satisfies Section;
