import path from 'node:path';
import { CronExpressionParser } from 'cron-parser';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { LIMIT_SETTINGS, type LimitsConfig, readLimits } from './config/limits.ts';
import { bytes, bytesOrOff, flag, GiB, KiB, list, MiB, wholeNumber } from './config/values.ts';
import { FixativeError } from './errors.ts';

export type { DecodeLimits, LimitsConfig, QueryLimits, QuotaLimits, TrafficLimits } from './config/limits.ts';
export { GiB, KiB, MiB };

/** The kinds of store that STORES may name. `memory` is for tests. */
const STORE_KINDS = ['filesystem', 'database', 's3', 'github', 'memory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];
const LOCAL_STORES: readonly StoreKind[] = ['filesystem', 'database', 'memory'];
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export interface S3Config {
  readonly bucket: string;
  /** null: Amazon's, by AWS_REGION. */
  readonly endpoint: string | null;
  readonly prefix: string;
  readonly forcePathStyle: boolean;
  /** Where the objects can be fetched without credentials, such as a CDN. */
  readonly publicUrl: string | null;
}

export interface GithubConfig {
  readonly token: string;
  /** `owner/name` */
  readonly repository: string;
  readonly branch: string;
  readonly directory: string;
  readonly apiUrl: string;
}

/** How a provider of pictures is reached. */
export interface ConnectionConfig {
  readonly apiKey: string;
  readonly baseUrl: string;
}

/** A model under a name of its own, and the known model whose settings it takes. */
export interface NamedModel {
  readonly name: string;
  readonly follows: string | null;
}

export interface AzureConfig extends ConnectionConfig {
  readonly deployments: readonly { readonly name: string; readonly follows: string }[];
}

export interface OpenAiCompatibleConfig {
  /** null: it asks for none. */
  readonly apiKey: string | null;
  readonly baseUrl: string;
  readonly offered: readonly NamedModel[];
}

/** Whose JSON Web Tokens are taken, and what is read from them. */
export interface JwtConfig {
  readonly keys: { readonly secret: string } | { readonly jwksUrl: string };
  readonly algorithms: readonly string[];
  /** null: whoever has the secret. */
  readonly issuer: string | null;
  /** One of these; empty: any, under a secret. */
  readonly audience: readonly string[];
  readonly userClaim: string;
  readonly scopeClaim: string;
}

/** What a signature may be made by: under a shared secret, or by a key pair. */
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
const KEY_PAIR_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** The providers that PROVIDER_TIMEOUTS may name. */
const PROVIDERS = [
  'openai',
  'google',
  'xai',
  'bfl',
  'fal',
  'replicate',
  'azure',
  'openai-compatible',
] as const;
export type ProviderName = (typeof PROVIDERS)[number];

export interface Config extends LimitsConfig {
  readonly host: string;
  readonly port: number;
  /** Without a slash at its end; null where it follows from where the server listens. */
  readonly publicUrl: string | null;
  readonly dataDirectory: string;
  /** null: PGlite, embedded, in the data directory. */
  readonly databaseUrl: string | null;
  readonly databasePoolSize: number;
  /** In read order. */
  readonly stores: readonly StoreKind[];
  readonly requiredStores: readonly StoreKind[];
  readonly imageDirectory: string;
  readonly healDelaySeconds: number;
  readonly minFreeBytes: number;
  readonly quarantineDays: number;
  readonly trashDays: number;
  /** Five-field cron in UTC; null: the server verifies nothing by itself. */
  readonly verifySchedule: string | null;
  /** How long one scheduled run may take, and how fast it may read. */
  readonly verifySeconds: number;
  readonly verifyBytesPerSecond: number;
  readonly s3: S3Config | null;
  readonly github: GithubConfig | null;
  readonly maxUploadBytes: number;
  readonly maxUploadFiles: number;
  readonly maxImagePixels: number;
  readonly maxBodyBytes: number;
  /** null: the one kept in the data directory, made at the first start. */
  readonly rootToken: string | null;
  /** null: no JSON Web Tokens are taken. */
  readonly jwt: JwtConfig | null;
  /** The first signs addresses, all verify; null: the one kept in the data directory, made at the first start. */
  readonly signingKeys: readonly string[] | null;
  /** How long an upload target takes bytes. */
  readonly uploadTargetSeconds: number;
  /** Of new images of which nobody says otherwise. */
  readonly defaultVisibility: 'public' | 'private';
  /** How long a signed address of an image may last at the most. */
  readonly signedUrlMaxSeconds: number;
  /** Origins whose scripts may read bytes; `*`: every one, of public images. */
  readonly corsOrigins: readonly string[];
  /** Hosts whose pages may show public images; empty: every one. */
  readonly hotlinkAllow: readonly string[];
  /** In pixels: the sides that a variant may have without a signature. */
  readonly variantSizes: readonly number[];
  readonly variantCacheBytes: number;
  /** How the bytes of originals leave. */
  readonly delivery: 'direct' | 'x-accel' | 'redirect';
  /** Where nginx has the directory of the filesystem store; begins and ends with a slash. */
  readonly xAccelPrefix: string;
  /** How many images are remembered, so that their bytes cost no statement. */
  readonly imageCacheEntries: number;
  /** Of proven bytes in memory, in all and of one thing; 0: none. */
  readonly bytesCacheBytes: number;
  readonly bytesCacheObjectBytes: number;
  /** How many files of the filesystem store are kept open. */
  readonly maxOpenFiles: number;
  /** How many variants are made at once, and how many more may wait. */
  readonly variantConcurrency: number;
  readonly variantQueue: number;
  /** Each provider is null where it is not configured. */
  readonly openai: ConnectionConfig | null;
  readonly google: ConnectionConfig | null;
  readonly xai: ConnectionConfig | null;
  readonly bfl: ConnectionConfig | null;
  readonly fal: ConnectionConfig | null;
  readonly replicate: ConnectionConfig | null;
  readonly azure: AzureConfig | null;
  readonly openaiCompatible: OpenAiCompatibleConfig | null;
  /** null: the first model of the first provider that has a key, else `sample`. */
  readonly defaultModel: string | null;
  readonly providerTimeoutSeconds: number;
  /** How many generations of one provider run at once in one process, and of one user and provider in all. */
  readonly generationsPerProvider: number;
  readonly generationsPerUser: number;
  readonly saveGeneratedImages: boolean;
  readonly generatedImageFormat: 'png' | 'jpeg' | 'webp' | null;
  /** For those that have one of their own. */
  readonly providerTimeouts: Readonly<Partial<Record<ProviderName, number>>>;
  /** Host names, addresses and CIDR ranges that may be fetched from although they are not public. */
  readonly allowPrivateSources: readonly string[];
  readonly fetchTimeoutSeconds: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logFormat: 'text' | 'json';
}

const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'an address that begins with http:// or https://',
  )
  .transform((text) => text.replace(/\/+$/, ''));

function isSchedule(text: string): boolean {
  if (text === 'off') return true;
  try {
    CronExpressionParser.parse(text);
    return text.trim().split(/\s+/).length === 5;
  } catch {
    return false;
  }
}

const isSource = (text: string) =>
  ipaddr.isValid(text) || ipaddr.isValidCIDR(text) || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(text);

const sourceList = list.refine(
  (entries) => entries.every(isSource),
  'host names, addresses or CIDR ranges, divided by commas',
);

const isKey = (text: string) => /^[\x21-\x7e]+$/.test(text);
const key = z
  .string()
  .transform((text) => text.trim())
  .refine(isKey, 'a key: visible characters, without spaces');

/** `name` or `name=model`, divided by commas. */
const modelList = list
  .transform((entries) =>
    entries.map((entry): NamedModel => {
      const [name = '', follows = null] = entry.split(/\s*=\s*/, 2);
      return { name, follows };
    }),
  )
  .refine(
    (entries) =>
      entries.every(
        ({ name, follows }) =>
          /^[\w][\w./:@-]*$/.test(name) && (follows === null || /^[\w.-]+$/.test(follows)),
      ),
    'names, or names with the model that each is like, such as pictures=gpt-image-1, divided by commas',
  )
  .refine((entries) => new Set(entries.map(({ name }) => name)).size === entries.length, 'each name once');

const timeoutList = list
  .transform((entries) => entries.map((entry) => entry.split(/\s*=\s*/)).filter(([name]) => name))
  .refine(
    (entries) =>
      entries.every(
        ([name = '', seconds = '', ...more]) =>
          (PROVIDERS as readonly string[]).includes(name) &&
          /^\d{1,4}$/.test(seconds) &&
          Number(seconds) >= 1 &&
          Number(seconds) <= 3600 &&
          more.length === 0,
      ),
    `providers with seconds from 1 to 3600, such as openai=300,bfl=120; providers are: ${PROVIDERS.join(', ')}`,
  )
  .transform((entries) => Object.fromEntries(entries.map(([name, seconds]) => [name, Number(seconds)])));

const storeList = list
  .refine((names) => names.length > 0, 'at least one store')
  .refine((names) => new Set(names).size === names.length, 'each store once')
  .pipe(z.array(z.enum(STORE_KINDS, `a list, divided by commas, of: ${STORE_KINDS.join(', ')}`)));

const Environment = z.object({
  ...LIMIT_SETTINGS,
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(4000),
  PUBLIC_URL: httpUrl.optional(),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'an address that begins with postgresql://')
    .optional(),
  DATABASE_POOL_SIZE: wholeNumber(1, 1000).default(10),
  STORES: storeList.default(['filesystem', 'database']),
  REQUIRED_STORES: storeList.optional(),
  HEAL_DELAY_SECONDS: wholeNumber(0, 86_400).default(10),
  MIN_FREE_BYTES: bytes.default(256 * MiB),
  QUARANTINE_DAYS: wholeNumber(0, 3650).default(30),
  TRASH_DAYS: wholeNumber(0, 3650).default(30),
  VERIFY_SCHEDULE: z
    .string()
    .refine(isSchedule, 'five fields of cron, such as `0 3 * * *`, or off')
    .default('0 3 * * *'),
  VERIFY_SECONDS: wholeNumber(1, 86_400).default(3600),
  VERIFY_BYTES_PER_SECOND: bytes.default(50 * MiB),
  S3_BUCKET: z.string().optional(),
  S3_ENDPOINT: httpUrl.optional(),
  S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-][A-Za-z0-9._/-]*$/, 'letters, digits, dots, dashes, underscores and slashes')
    .optional(),
  S3_FORCE_PATH_STYLE: flag.optional(),
  S3_PUBLIC_URL: httpUrl.optional(),
  GITHUB_TOKEN: z.string().optional(),
  GITHUB_REPOSITORY: z
    .string()
    .regex(/^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/, 'owner/name')
    .optional(),
  GITHUB_BRANCH: z.string().default('main'),
  GITHUB_DIRECTORY: z
    .string()
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9._/-]*$/, 'a path without a slash at its front')
    .default('file-library'),
  GITHUB_API_URL: httpUrl.default('https://api.github.com'),
  GENERATED_IMAGE_DIR: z.string().optional(),
  MAX_UPLOAD_BYTES: bytes.default(50 * MiB),
  MAX_UPLOAD_FILES: wholeNumber(1, 1000).default(20),
  MAX_IMAGE_PIXELS: wholeNumber(1, 10_000_000_000).default(100_000_000),
  MAX_BODY_BYTES: bytes.default(4 * MiB),
  FIXATIVE_ROOT_TOKEN: z
    .string()
    .regex(
      /^[\x21-\x7e]{16,}$/,
      'at least 16 characters without spaces; `openssl rand -base64 32` makes a good one',
    )
    .optional(),
  AUTH_JWKS_URL: httpUrl.optional(),
  AUTH_JWT_SECRET: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) >= 32,
      'at least 32 bytes; `openssl rand -base64 48` makes a good one',
    )
    .optional(),
  AUTH_JWT_ISSUER: z.string().optional(),
  AUTH_JWT_AUDIENCE: list.default([]),
  AUTH_JWT_ALGORITHMS: list
    .pipe(
      z.array(
        z.enum(
          [...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS],
          `a list, divided by commas, of: ${[...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS].join(', ')}`,
        ),
      ),
    )
    .optional(),
  AUTH_JWT_USER_CLAIM: z.string().default('sub'),
  AUTH_JWT_SCOPE_CLAIM: z.string().default('scope'),
  SIGNING_KEYS: z
    .string()
    .transform((text) => text.split(',').map((key) => key.trim()))
    .refine(
      (keys) => keys.every((key) => /^[\x21-\x7e]{16,}$/.test(key)),
      'a list, divided by commas, of keys of at least 16 characters without spaces',
    )
    .optional(),
  UPLOAD_TARGET_SECONDS: wholeNumber(60, 86_400).default(3600),
  DEFAULT_VISIBILITY: z.enum(['public', 'private'], 'public or private').default('public'),
  SIGNED_URL_MAX_SECONDS: wholeNumber(60, 604_800).default(604_800),
  CORS_ORIGINS: list
    .refine(
      (entries) =>
        entries.every((entry) => ['*', 'none'].includes(entry) || URL.parse(entry)?.origin === entry),
      'origins such as https://app.example.com, divided by commas, or *, or none',
    )
    .transform((entries) => entries.filter((entry) => entry !== 'none'))
    .default(['*']),
  HOTLINK_ALLOW: list
    .transform((entries) => entries.map((entry) => entry.toLowerCase()))
    .refine(
      (entries) => entries.every((entry) => /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(entry)),
      'hosts such as example.com or *.example.com, divided by commas',
    )
    .default([]),
  VARIANT_SIZES: list
    .refine(
      (entries) =>
        entries.length > 0 && entries.every((entry) => /^[1-9]\d{0,3}$/.test(entry) && Number(entry) <= 4096),
      'whole numbers from 1 to 4096, divided by commas',
    )
    .transform((entries) => [...new Set(entries.map(Number))].sort((a, b) => a - b))
    .default([64, 128, 256, 320, 480, 640, 800, 1024, 1280, 1600, 2048]),
  VARIANT_CACHE_BYTES: bytes.default(GiB),
  DELIVERY: z.enum(['direct', 'x-accel', 'redirect'], 'direct, x-accel or redirect').default('direct'),
  X_ACCEL_PREFIX: z
    .string()
    .regex(/^(\/[A-Za-z0-9._-]+)+\/$/, 'a path that begins and ends with a slash, such as /_fixative_files/')
    .default('/_fixative_files/'),
  IMAGE_CACHE_ENTRIES: wholeNumber(0, 1_000_000).default(10_000),
  BYTES_CACHE_BYTES: bytesOrOff.default(128 * MiB),
  BYTES_CACHE_OBJECT_BYTES: bytes.default(2 * MiB),
  MAX_OPEN_FILES: wholeNumber(0, 100_000).default(512),
  VARIANT_CONCURRENCY: wholeNumber(1, 64).default(2),
  VARIANT_QUEUE: wholeNumber(0, 10_000).default(64),
  OPENAI_API_KEY: key.optional(),
  OPENAI_BASE_URL: httpUrl.default('https://api.openai.com/v1'),
  GEMINI_API_KEY: key.optional(),
  GOOGLE_GENERATIVE_AI_API_KEY: key.optional(),
  GEMINI_BASE_URL: httpUrl.default('https://generativelanguage.googleapis.com/v1beta'),
  XAI_API_KEY: key.optional(),
  XAI_BASE_URL: httpUrl.default('https://api.x.ai/v1'),
  BFL_API_KEY: key.optional(),
  BFL_BASE_URL: httpUrl.default('https://api.bfl.ai/v1'),
  FAL_KEY: key.optional(),
  FAL_BASE_URL: httpUrl.default('https://fal.run'),
  REPLICATE_API_TOKEN: key.optional(),
  REPLICATE_BASE_URL: httpUrl.default('https://api.replicate.com/v1'),
  AZURE_OPENAI_API_KEY: key.optional(),
  AZURE_OPENAI_BASE_URL: httpUrl.optional(),
  AZURE_OPENAI_DEPLOYMENTS: modelList
    .refine(
      (entries) => entries.every(({ follows }) => follows !== null),
      'deployments with the model of each, such as pictures=gpt-image-1, divided by commas',
    )
    .optional(),
  OPENAI_COMPATIBLE_BASE_URL: httpUrl.optional(),
  OPENAI_COMPATIBLE_API_KEY: key.optional(),
  OPENAI_COMPATIBLE_MODELS: modelList.optional(),
  DEFAULT_MODEL: z.string().optional(),
  PROVIDER_TIMEOUT_SECONDS: wholeNumber(1, 3600).default(180),
  GENERATIONS_PER_PROVIDER: wholeNumber(1, 100).default(4),
  GENERATIONS_PER_USER: wholeNumber(1, 100).default(4),
  SAVE_GENERATED_IMAGES: flag.default(true),
  GENERATED_IMAGE_FORMAT: z.enum(['png', 'jpeg', 'webp'], 'png, jpeg or webp').optional(),
  PROVIDER_TIMEOUTS: timeoutList.default({}),
  ALLOW_PRIVATE_SOURCES: sourceList.default([]),
  FETCH_TIMEOUT_SECONDS: wholeNumber(1, 3600).default(60),
  LOG_LEVEL: z.enum(LOG_LEVELS, `one of: ${LOG_LEVELS.join(', ')}`).default('info'),
  LOG_FORMAT: z.enum(['text', 'json'], 'text or json').default('text'),
});

/**
 * Reads the settings from an environment, where a variable that is set to nothing counts as not set.
 * @param directory what relative paths are relative to.
 * @throws FixativeError INVALID_INPUT that names every bad variable at once, each with what is allowed.
 */
export function parseConfig(
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const parsed = Environment.safeParse(set);
  const faults = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path[0]?.toString()}: expected ${issue.message}`);
  const values = parsed.data;
  const strangers = values?.REQUIRED_STORES?.filter((name) => !values.STORES.includes(name)) ?? [];
  if (strangers.length > 0)
    faults.push(`REQUIRED_STORES: expected names that are in STORES, not ${strangers.join(', ')}`);
  if (values?.STORES.includes('s3') && !values.S3_BUCKET)
    faults.push('S3_BUCKET: expected a name, because STORES has s3');
  if (values?.STORES.includes('github') && !(values.GITHUB_TOKEN && values.GITHUB_REPOSITORY)) {
    faults.push('GITHUB_TOKEN, GITHUB_REPOSITORY: expected both, because STORES has github');
  }
  if (values) faults.push(...faultsOfJwt(values));
  if (values && values.PERSISTED_OPERATIONS !== 'off' && !values.PERSISTED_OPERATIONS_FILE)
    faults.push('PERSISTED_OPERATIONS_FILE: expected a file, because PERSISTED_OPERATIONS is set');
  faults.push(...incomplete(set, AZURE_SETTINGS, AZURE_SETTINGS));
  faults.push(...incomplete(set, COMPATIBLE_SETTINGS, COMPATIBLE_SETTINGS.slice(0, 2)));
  if (!values || faults.length > 0) {
    throw new FixativeError(
      'INVALID_INPUT',
      `The configuration is not valid.\n  ${[...new Set(faults)].join('\n  ')}\nSee .env.example.`,
    );
  }
  const dataDirectory = path.resolve(directory, values.DATA_DIR);
  return Object.freeze({
    ...readLimits(values, directory),
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL ?? null,
    dataDirectory,
    databaseUrl: values.DATABASE_URL ?? null,
    databasePoolSize: values.DATABASE_POOL_SIZE,
    stores: values.STORES,
    requiredStores: values.REQUIRED_STORES ?? values.STORES.filter((name) => LOCAL_STORES.includes(name)),
    imageDirectory: values.GENERATED_IMAGE_DIR
      ? path.resolve(directory, values.GENERATED_IMAGE_DIR)
      : path.join(dataDirectory, 'images'),
    healDelaySeconds: values.HEAL_DELAY_SECONDS,
    minFreeBytes: values.MIN_FREE_BYTES,
    quarantineDays: values.QUARANTINE_DAYS,
    trashDays: values.TRASH_DAYS,
    verifySchedule: values.VERIFY_SCHEDULE === 'off' ? null : values.VERIFY_SCHEDULE,
    verifySeconds: values.VERIFY_SECONDS,
    verifyBytesPerSecond: values.VERIFY_BYTES_PER_SECOND,
    s3: values.S3_BUCKET
      ? {
          bucket: values.S3_BUCKET,
          endpoint: values.S3_ENDPOINT ?? null,
          prefix: values.S3_PREFIX ?? '',
          // Few endpoints besides Amazon's have a name for each bucket.
          forcePathStyle: values.S3_FORCE_PATH_STYLE ?? values.S3_ENDPOINT !== undefined,
          publicUrl: values.S3_PUBLIC_URL ?? null,
        }
      : null,
    github:
      values.GITHUB_TOKEN && values.GITHUB_REPOSITORY
        ? {
            token: values.GITHUB_TOKEN,
            repository: values.GITHUB_REPOSITORY,
            branch: values.GITHUB_BRANCH,
            directory: values.GITHUB_DIRECTORY,
            apiUrl: values.GITHUB_API_URL,
          }
        : null,
    maxUploadBytes: values.MAX_UPLOAD_BYTES,
    maxUploadFiles: values.MAX_UPLOAD_FILES,
    maxImagePixels: values.MAX_IMAGE_PIXELS,
    maxBodyBytes: values.MAX_BODY_BYTES,
    rootToken: values.FIXATIVE_ROOT_TOKEN ?? null,
    jwt: jwtOf(values),
    signingKeys: values.SIGNING_KEYS ?? null,
    uploadTargetSeconds: values.UPLOAD_TARGET_SECONDS,
    defaultVisibility: values.DEFAULT_VISIBILITY,
    signedUrlMaxSeconds: values.SIGNED_URL_MAX_SECONDS,
    corsOrigins: values.CORS_ORIGINS,
    hotlinkAllow: values.HOTLINK_ALLOW,
    variantSizes: values.VARIANT_SIZES,
    variantCacheBytes: values.VARIANT_CACHE_BYTES,
    delivery: values.DELIVERY,
    xAccelPrefix: values.X_ACCEL_PREFIX,
    imageCacheEntries: values.IMAGE_CACHE_ENTRIES,
    bytesCacheBytes: values.BYTES_CACHE_BYTES,
    bytesCacheObjectBytes: values.BYTES_CACHE_OBJECT_BYTES,
    maxOpenFiles: values.MAX_OPEN_FILES,
    variantConcurrency: values.VARIANT_CONCURRENCY,
    variantQueue: values.VARIANT_QUEUE,
    openai: connection(values.OPENAI_API_KEY, values.OPENAI_BASE_URL),
    google: connection(values.GEMINI_API_KEY ?? values.GOOGLE_GENERATIVE_AI_API_KEY, values.GEMINI_BASE_URL),
    xai: connection(values.XAI_API_KEY, values.XAI_BASE_URL),
    bfl: connection(values.BFL_API_KEY, values.BFL_BASE_URL),
    fal: connection(values.FAL_KEY, values.FAL_BASE_URL),
    replicate: connection(values.REPLICATE_API_TOKEN, values.REPLICATE_BASE_URL),
    azure:
      values.AZURE_OPENAI_API_KEY && values.AZURE_OPENAI_BASE_URL && values.AZURE_OPENAI_DEPLOYMENTS
        ? {
            apiKey: values.AZURE_OPENAI_API_KEY,
            baseUrl: values.AZURE_OPENAI_BASE_URL,
            deployments: values.AZURE_OPENAI_DEPLOYMENTS as AzureConfig['deployments'],
          }
        : null,
    openaiCompatible:
      values.OPENAI_COMPATIBLE_BASE_URL && values.OPENAI_COMPATIBLE_MODELS
        ? {
            apiKey: values.OPENAI_COMPATIBLE_API_KEY ?? null,
            baseUrl: values.OPENAI_COMPATIBLE_BASE_URL,
            offered: values.OPENAI_COMPATIBLE_MODELS,
          }
        : null,
    defaultModel: values.DEFAULT_MODEL ?? null,
    providerTimeoutSeconds: values.PROVIDER_TIMEOUT_SECONDS,
    generationsPerProvider: values.GENERATIONS_PER_PROVIDER,
    generationsPerUser: values.GENERATIONS_PER_USER,
    saveGeneratedImages: values.SAVE_GENERATED_IMAGES,
    generatedImageFormat: values.GENERATED_IMAGE_FORMAT ?? null,
    providerTimeouts: values.PROVIDER_TIMEOUTS,
    allowPrivateSources: values.ALLOW_PRIVATE_SOURCES,
    fetchTimeoutSeconds: values.FETCH_TIMEOUT_SECONDS,
    logLevel: values.LOG_LEVEL,
    logFormat: values.LOG_FORMAT,
  });
}

type JwtSettings = Pick<
  z.infer<typeof Environment>,
  | 'AUTH_JWKS_URL'
  | 'AUTH_JWT_SECRET'
  | 'AUTH_JWT_ISSUER'
  | 'AUTH_JWT_AUDIENCE'
  | 'AUTH_JWT_ALGORITHMS'
  | 'AUTH_JWT_USER_CLAIM'
  | 'AUTH_JWT_SCOPE_CLAIM'
>;

function jwtOf(values: JwtSettings): JwtConfig | null {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: jwksUrl } = values;
  const keys = secret !== undefined ? { secret } : jwksUrl !== undefined ? { jwksUrl } : null;
  if (!keys) return null;
  return {
    keys,
    algorithms: values.AUTH_JWT_ALGORITHMS ?? (secret === undefined ? KEY_PAIR_ALGORITHMS : ['HS256']),
    issuer: values.AUTH_JWT_ISSUER ?? null,
    audience: values.AUTH_JWT_AUDIENCE,
    userClaim: values.AUTH_JWT_USER_CLAIM,
    scopeClaim: values.AUTH_JWT_SCOPE_CLAIM,
  };
}

/** A public key that is taken for a secret would let everybody sign, so the two never stand side by side. */
function faultsOfJwt(values: JwtSettings): string[] {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: jwksUrl, AUTH_JWT_ALGORITHMS: algorithms } = values;
  if (secret === undefined && jwksUrl === undefined) {
    const { AUTH_JWT_ISSUER: issuer, AUTH_JWT_AUDIENCE: audience } = values;
    if (issuer === undefined && audience.length === 0 && algorithms === undefined) return [];
    return [
      'AUTH_JWKS_URL, AUTH_JWT_SECRET: expected one of them, because other settings of AUTH_JWT are set',
    ];
  }
  if (secret !== undefined && jwksUrl !== undefined)
    return ['AUTH_JWKS_URL, AUTH_JWT_SECRET: expected one of them, not both'];
  const faults: string[] = [];
  const fitting: readonly string[] = secret === undefined ? KEY_PAIR_ALGORITHMS : SECRET_ALGORITHMS;
  if (algorithms?.some((name) => !fitting.includes(name)) || algorithms?.length === 0) {
    const by = secret === undefined ? 'AUTH_JWKS_URL' : 'AUTH_JWT_SECRET';
    faults.push(`AUTH_JWT_ALGORITHMS: expected some of ${fitting.join(', ')}, because ${by} is set`);
  }
  // An identity provider signs for many, and with the same keys.
  if (jwksUrl !== undefined && values.AUTH_JWT_ISSUER === undefined)
    faults.push('AUTH_JWT_ISSUER: expected a value, because AUTH_JWKS_URL is set');
  if (jwksUrl !== undefined && values.AUTH_JWT_AUDIENCE.length === 0)
    faults.push('AUTH_JWT_AUDIENCE: expected a value, because AUTH_JWKS_URL is set');
  return faults;
}

const AZURE_SETTINGS = ['AZURE_OPENAI_API_KEY', 'AZURE_OPENAI_BASE_URL', 'AZURE_OPENAI_DEPLOYMENTS'];
const COMPATIBLE_SETTINGS = [
  'OPENAI_COMPATIBLE_BASE_URL',
  'OPENAI_COMPATIBLE_MODELS',
  'OPENAI_COMPATIBLE_API_KEY',
];

/** Settings that mean nothing without each other: which of those that are needed are lacking where any is set. */
function incomplete(
  set: Readonly<Record<string, unknown>>,
  settings: readonly string[],
  needed: readonly string[],
): string[] {
  const first = settings.find((name) => name in set);
  if (first === undefined) return [];
  return needed
    .filter((name) => !(name in set))
    .map((name) => `${name}: expected a value, because ${first} is set`);
}

/** What of a configuration lets somebody in, and so may stand in no log. */
export function secretsOf(config: Config): string[] {
  const connections = [
    ...[config.openai, config.google, config.xai, config.bfl, config.fal, config.replicate],
    ...[config.azure, config.openaiCompatible],
  ];
  return [
    config.rootToken,
    config.jwt && 'secret' in config.jwt.keys ? config.jwt.keys.secret : null,
    ...(config.signingKeys ?? []),
    ...connections.map((each) => each?.apiKey),
    config.github?.token,
    config.databaseUrl && decodeURIComponent(new URL(config.databaseUrl).password),
  ].filter((secret): secret is string => typeof secret === 'string' && secret !== '');
}

function connection(apiKey: string | undefined, baseUrl: string): ConnectionConfig | null {
  return apiKey === undefined ? null : { apiKey, baseUrl };
}
