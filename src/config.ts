import path from 'node:path';
import { CronExpressionParser } from 'cron-parser';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { faultsOfJwt, JWT_SETTINGS, type JwtConfig, readJwt } from './config/jwt.ts';
import { LIMIT_SETTINGS, type LimitsConfig, readLimits } from './config/limits.ts';
import { findMisspelt } from './config/misspelt.ts';
import {
  faultsOfProviders,
  PROVIDER_SETTINGS,
  type ProvidersConfig,
  readProviders,
} from './config/providers.ts';
import { faultsOfStores, readStores, STORE_SETTINGS, type StoresConfig } from './config/stores.ts';
import {
  bytes,
  bytesOrOff,
  flag,
  GiB,
  httpUrl,
  KiB,
  list,
  MiB,
  origins,
  wholeNumber,
} from './config/values.ts';
import { FixativeError } from './errors.ts';

export type { JwtConfig } from './config/jwt.ts';
export type { DecodeLimits, LimitsConfig, QueryLimits, QuotaLimits, TrafficLimits } from './config/limits.ts';
export type { ProviderName } from './config/providers.ts';
export type { GithubConfig, S3Config, StoreKind } from './config/stores.ts';
export { GiB, KiB, MiB };

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export interface Config extends LimitsConfig, StoresConfig, ProvidersConfig {
  readonly host: string;
  readonly port: number;
  /** Without a slash at its end; null where it follows from where the server listens. */
  readonly publicUrl: string | null;
  readonly dataDirectory: string;
  /** null: PGlite, embedded, in the data directory. */
  readonly databaseUrl: string | null;
  readonly databasePoolSize: number;
  readonly healDelaySeconds: number;
  readonly minFreeBytes: number;
  readonly quarantineDays: number;
  readonly trashDays: number;
  /** Five-field cron in UTC; null: the server verifies nothing by itself. */
  readonly verifySchedule: string | null;
  /** How long one scheduled run may take, and how fast it may read. */
  readonly verifySeconds: number;
  readonly verifyBytesPerSecond: number;
  readonly maxUploadBytes: number;
  readonly maxUploadFiles: number;
  readonly maxImagePixels: number;
  readonly maxBodyBytes: number;
  /** null: the one kept in the data directory, made at the first start. */
  readonly rootToken: string | null;
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
  readonly saveGeneratedImages: boolean;
  readonly generatedImageFormat: 'png' | 'jpeg' | 'webp' | null;
  /** Host names, addresses and CIDR ranges that may be fetched from although they are not public. */
  readonly allowPrivateSources: readonly string[];
  readonly fetchTimeoutSeconds: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly logFormat: 'text' | 'json';
}

function isSchedule(text: string): boolean {
  if (text === 'off') return true;
  try {
    CronExpressionParser.parse(text);
    return text.trim().split(/\s+/).length === 5;
  } catch {
    return false;
  }
}

/** A password as people paste it (`p@ss#w`, `100%`) makes another address of it, or none. */
function isDatabaseUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.hash !== '') return false;
  try {
    decodeURIComponent(url.username + url.password);
    return true;
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

const Environment = z.object({
  ...LIMIT_SETTINGS,
  ...STORE_SETTINGS,
  ...PROVIDER_SETTINGS,
  ...JWT_SETTINGS,
  HOST: z.string().default('127.0.0.1'),
  PORT: wholeNumber(0, 65535).default(4000),
  PUBLIC_URL: httpUrl.optional(),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'an address that begins with postgresql://')
    .refine(
      isDatabaseUrl,
      'postgresql://user:password@host:port/database, where a password has its special characters as %40 for @, %23 for #, %2F for / and so on',
    )
    .optional(),
  DATABASE_POOL_SIZE: wholeNumber(1, 1000).default(10),
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
  CORS_ORIGINS: origins.default(['*']),
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
  SAVE_GENERATED_IMAGES: flag.default(true),
  GENERATED_IMAGE_FORMAT: z.enum(['png', 'jpeg', 'webp'], 'png, jpeg or webp').optional(),
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
  if (values) faults.push(...faultsOfStores(values), ...faultsOfJwt(values));
  faults.push(...faultsOfProviders(set));
  if (values && values.PERSISTED_OPERATIONS !== 'off' && !values.PERSISTED_OPERATIONS_FILE)
    faults.push('PERSISTED_OPERATIONS_FILE: expected a file, because PERSISTED_OPERATIONS is set');
  if (!values || faults.length > 0) {
    throw new FixativeError(
      'INVALID_INPUT',
      `The configuration is not valid.\n  ${[...new Set(faults)].join('\n  ')}\nSee .env.example.`,
    );
  }
  const dataDirectory = path.resolve(directory, values.DATA_DIR);
  return Object.freeze({
    ...readLimits(values, directory),
    ...readStores(values, { directory, dataDirectory }),
    ...readProviders(values),
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL ?? null,
    dataDirectory,
    databaseUrl: values.DATABASE_URL ?? null,
    databasePoolSize: values.DATABASE_POOL_SIZE,
    healDelaySeconds: values.HEAL_DELAY_SECONDS,
    minFreeBytes: values.MIN_FREE_BYTES,
    quarantineDays: values.QUARANTINE_DAYS,
    trashDays: values.TRASH_DAYS,
    verifySchedule: values.VERIFY_SCHEDULE === 'off' ? null : values.VERIFY_SCHEDULE,
    verifySeconds: values.VERIFY_SECONDS,
    verifyBytesPerSecond: values.VERIFY_BYTES_PER_SECOND,
    maxUploadBytes: values.MAX_UPLOAD_BYTES,
    maxUploadFiles: values.MAX_UPLOAD_FILES,
    maxImagePixels: values.MAX_IMAGE_PIXELS,
    maxBodyBytes: values.MAX_BODY_BYTES,
    rootToken: values.FIXATIVE_ROOT_TOKEN ?? null,
    jwt: readJwt(values),
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
    saveGeneratedImages: values.SAVE_GENERATED_IMAGES,
    generatedImageFormat: values.GENERATED_IMAGE_FORMAT ?? null,
    allowPrivateSources: values.ALLOW_PRIVATE_SOURCES,
    fetchTimeoutSeconds: values.FETCH_TIMEOUT_SECONDS,
    logLevel: values.LOG_LEVEL,
    logFormat: values.LOG_FORMAT,
  });
}

/** What to say of settings that nobody reads because they are misspelt, a line for each. */
export function warningsOf(environment: Readonly<Record<string, string | undefined>>): string[] {
  return findMisspelt(Object.keys(environment), Object.keys(Environment.shape)).map(
    ({ name, meant }) => `${name} is not a setting and has no effect; is ${meant} meant?`,
  );
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
