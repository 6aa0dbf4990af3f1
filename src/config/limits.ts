import path from 'node:path';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { bytes, flag, KiB, list, MiB, type Values, wholeNumber } from './values.ts';

/** What one GraphQL request may be. docs/limits.md says why each is as it is. */
export interface QueryLimits {
  readonly maxDocumentBytes: number;
  readonly maxQueryTokens: number;
  /** With every fragment where it is spread. */
  readonly maxQueryFields: number;
  readonly maxQueryDepth: number;
  readonly maxQueryAliases: number;
  readonly maxQueryDirectives: number;
  /** In values that may be answered; lists multiply. */
  readonly maxQueryCost: number;
  /** Fields of the mutation type in one operation. */
  readonly maxQueryMutations: number;
  /** Pictures that one document may have generated. */
  readonly maxQueryGenerations: number;
  readonly maxVariablesBytes: number;
  readonly maxVariablesDepth: number;
  readonly maxVariablesList: number;
  /** So many images of a list are counted for `totalCount`; what is more is estimated. */
  readonly totalCountLimit: number;
}

/** How much may be asked at once, and how fast; each counted in one process. */
export interface TrafficLimits {
  readonly headersTimeoutSeconds: number;
  /** How long a connection without a request stays open: longer than proxies keep theirs. */
  readonly keepAliveTimeoutSeconds: number;
  /** Whether answers of text are compressed for clients that ask for it. */
  readonly compression: boolean;
  /** A body has so long, and a second more for each so many bytes that have come. */
  readonly bodyTimeoutSeconds: number;
  readonly minBodyBytesPerSecond: number;
  readonly operationTimeoutSeconds: number;
  readonly maxConnections: number;
  readonly maxRequests: number;
  readonly maxRequestsPerAddress: number;
  readonly maxUploads: number;
  readonly maxUploadsPerCaller: number;
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerCaller: number;
  /** Requests a minute; null: as many as come. */
  readonly rateLimitPerCaller: number | null;
  readonly rateLimitPerAddress: number | null;
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly maxEventLoopDelayMilliseconds: number;
  readonly maxHeapPercent: number;
}

/** What one user may have; null: as much as there is room for. */
export interface QuotaLimits {
  readonly quotaBytes: number | null;
  readonly quotaImages: number | null;
  readonly quotaGenerationsPerDay: number | null;
}

export interface DecodeLimits {
  /** Of each side, in pixels. */
  readonly maxImageSide: number;
  readonly decodesAtOnce: number;
  readonly maxDecodesWaiting: number;
  readonly decodeTimeoutSeconds: number;
}

export interface LimitsConfig extends QueryLimits, TrafficLimits, QuotaLimits, DecodeLimits {
  readonly introspection: boolean;
  readonly graphiql: boolean;
  /** off: no hashes are known; allow: hashes and documents; only: nothing but what the file lists. */
  readonly persistedOperations: 'off' | 'allow' | 'only';
  readonly persistedOperationsFile: string | null;
}

const rate = z
  .string()
  .regex(/^(\d{1,9}|off)$/, 'a number of requests a minute, or off')
  .refine((text) => text === 'off' || Number(text) > 0, 'a number of requests a minute, or off')
  .transform((text) => (text === 'off' ? null : Number(text)));

const addressList = list.refine(
  (entries) => entries.every((entry) => ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry)),
  'addresses or CIDR ranges, divided by commas',
);

/** The settings of this page, as the environment has them. */
export const LIMIT_SETTINGS = {
  MAX_DOCUMENT_BYTES: bytes.default(100_000),
  MAX_QUERY_TOKENS: wholeNumber(100, 100_000).default(2000),
  MAX_QUERY_FIELDS: wholeNumber(50, 100_000).default(1000),
  MAX_QUERY_DEPTH: wholeNumber(3, 100).default(12),
  MAX_QUERY_ALIASES: wholeNumber(0, 10_000).default(50),
  MAX_QUERY_DIRECTIVES: wholeNumber(0, 10_000).default(50),
  MAX_QUERY_COST: wholeNumber(100, 100_000_000).default(50_000),
  MAX_QUERY_MUTATIONS: wholeNumber(1, 10_000).default(20),
  MAX_QUERY_GENERATIONS: wholeNumber(1, 10_000).default(20),
  MAX_VARIABLES_BYTES: bytes.default(2 * MiB),
  MAX_VARIABLES_DEPTH: wholeNumber(5, 1000).default(40),
  MAX_VARIABLES_LIST: wholeNumber(100, 1_000_000).default(10_000),
  TOTAL_COUNT_LIMIT: wholeNumber(1, 100_000_000).default(100_000),
  INTROSPECTION: flag.default(true),
  GRAPHIQL: flag.default(true),
  PERSISTED_OPERATIONS: z.enum(['off', 'allow', 'only'], 'off, allow or only').default('off'),
  PERSISTED_OPERATIONS_FILE: z.string().optional(),
  OPERATION_TIMEOUT_SECONDS: wholeNumber(1, 3600).default(180),
  HEADERS_TIMEOUT_SECONDS: wholeNumber(1, 600).default(15),
  KEEP_ALIVE_TIMEOUT_SECONDS: wholeNumber(1, 3600).default(75),
  COMPRESSION: flag.default(true),
  BODY_TIMEOUT_SECONDS: wholeNumber(1, 3600).default(20),
  MIN_BODY_BYTES_PER_SECOND: bytes.default(2 * KiB),
  MAX_CONNECTIONS: wholeNumber(1, 1_000_000).default(4096),
  MAX_REQUESTS: wholeNumber(1, 1_000_000).default(1000),
  MAX_REQUESTS_PER_ADDRESS: wholeNumber(1, 1_000_000).default(250),
  MAX_UPLOADS: wholeNumber(1, 100_000).default(64),
  MAX_UPLOADS_PER_CALLER: wholeNumber(1, 100_000).default(32),
  MAX_SUBSCRIPTIONS: wholeNumber(1, 1_000_000).default(1000),
  MAX_SUBSCRIPTIONS_PER_CALLER: wholeNumber(1, 1_000_000).default(200),
  RATE_LIMIT_PER_CALLER: rate.default(60_000),
  RATE_LIMIT_PER_ADDRESS: rate.default(60_000),
  TRUSTED_PROXIES: addressList.default([]),
  MAX_EVENT_LOOP_DELAY_MILLISECONDS: wholeNumber(50, 60_000).default(1000),
  MAX_HEAP_PERCENT: wholeNumber(10, 100).default(90),
  QUOTA_BYTES: bytes.optional(),
  QUOTA_IMAGES: wholeNumber(1, 1_000_000_000).optional(),
  QUOTA_GENERATIONS_PER_DAY: wholeNumber(1, 1_000_000_000).optional(),
  MAX_IMAGE_SIDE: wholeNumber(1, 1_000_000).default(65_535),
  DECODES_AT_ONCE: wholeNumber(1, 64).default(2),
  MAX_DECODES_WAITING: wholeNumber(0, 100_000).default(100),
  DECODE_TIMEOUT_SECONDS: wholeNumber(1, 3600).default(60),
};

/** @param directory what relative paths are relative to. */
export function readLimits(values: Values<typeof LIMIT_SETTINGS>, directory: string): LimitsConfig {
  return {
    maxDocumentBytes: values.MAX_DOCUMENT_BYTES,
    maxQueryTokens: values.MAX_QUERY_TOKENS,
    maxQueryFields: values.MAX_QUERY_FIELDS,
    maxQueryDepth: values.MAX_QUERY_DEPTH,
    maxQueryAliases: values.MAX_QUERY_ALIASES,
    maxQueryDirectives: values.MAX_QUERY_DIRECTIVES,
    maxQueryCost: values.MAX_QUERY_COST,
    maxQueryMutations: values.MAX_QUERY_MUTATIONS,
    maxQueryGenerations: values.MAX_QUERY_GENERATIONS,
    maxVariablesBytes: values.MAX_VARIABLES_BYTES,
    maxVariablesDepth: values.MAX_VARIABLES_DEPTH,
    maxVariablesList: values.MAX_VARIABLES_LIST,
    totalCountLimit: values.TOTAL_COUNT_LIMIT,
    introspection: values.INTROSPECTION,
    graphiql: values.GRAPHIQL,
    persistedOperations: values.PERSISTED_OPERATIONS,
    persistedOperationsFile: values.PERSISTED_OPERATIONS_FILE
      ? path.resolve(directory, values.PERSISTED_OPERATIONS_FILE)
      : null,
    operationTimeoutSeconds: values.OPERATION_TIMEOUT_SECONDS,
    headersTimeoutSeconds: values.HEADERS_TIMEOUT_SECONDS,
    keepAliveTimeoutSeconds: values.KEEP_ALIVE_TIMEOUT_SECONDS,
    compression: values.COMPRESSION,
    bodyTimeoutSeconds: values.BODY_TIMEOUT_SECONDS,
    minBodyBytesPerSecond: values.MIN_BODY_BYTES_PER_SECOND,
    maxConnections: values.MAX_CONNECTIONS,
    maxRequests: values.MAX_REQUESTS,
    maxRequestsPerAddress: values.MAX_REQUESTS_PER_ADDRESS,
    maxUploads: values.MAX_UPLOADS,
    maxUploadsPerCaller: values.MAX_UPLOADS_PER_CALLER,
    maxSubscriptions: values.MAX_SUBSCRIPTIONS,
    maxSubscriptionsPerCaller: values.MAX_SUBSCRIPTIONS_PER_CALLER,
    rateLimitPerCaller: values.RATE_LIMIT_PER_CALLER,
    rateLimitPerAddress: values.RATE_LIMIT_PER_ADDRESS,
    trustedProxies: values.TRUSTED_PROXIES,
    maxEventLoopDelayMilliseconds: values.MAX_EVENT_LOOP_DELAY_MILLISECONDS,
    maxHeapPercent: values.MAX_HEAP_PERCENT,
    quotaBytes: values.QUOTA_BYTES ?? null,
    quotaImages: values.QUOTA_IMAGES ?? null,
    quotaGenerationsPerDay: values.QUOTA_GENERATIONS_PER_DAY ?? null,
    maxImageSide: values.MAX_IMAGE_SIDE,
    decodesAtOnce: values.DECODES_AT_ONCE,
    maxDecodesWaiting: values.MAX_DECODES_WAITING,
    decodeTimeoutSeconds: values.DECODE_TIMEOUT_SECONDS,
  };
}
