import path from 'node:path';
import { z } from 'zod';
import { faultsOfJwt, type JwtConfig, readJwt } from './config/jwt.ts';
import { findMisspelt } from './config/misspelt.ts';
import type { QUERY_LIMITS } from './config/sections/graphql.ts';
import type { StoreKind } from './config/sections/stores.ts';
import type { TIMEOUTS, TRAFFIC } from './config/sections/traffic.ts';
import type { QUOTAS } from './config/sections/uploads.ts';
import {
  faultsOfGroup,
  type ParsedValues,
  type PropertiesOf,
  parsersOf,
  readProperties,
  secretsIn,
} from './config/setting.ts';
import { SETTINGS } from './config/settings.ts';
import { FixativeError } from './errors.ts';

export type { JwtConfig } from './config/jwt.ts';
export { GiB, KiB, MiB } from './config/parsers.ts';
export type { ProviderName } from './config/sections/providers.ts';
export type { StoreKind } from './config/sections/stores.ts';

/** Limits of one GraphQL request. docs/limits.md says why each is as it is. */
export type QueryLimits = PropertiesOf<(typeof QUERY_LIMITS)['settings']>;
/** Limits on requests in progress and on their speed, counted in one process. */
export type TrafficLimits = PropertiesOf<(typeof TIMEOUTS)['settings'] & (typeof TRAFFIC)['settings']>;
/** Limits of one user; null: no limit. */
export type QuotaLimits = PropertiesOf<(typeof QUOTAS)['settings']>;

type Properties = PropertiesOf<typeof SETTINGS>;
type S3Settings = NonNullable<Properties['s3']>;

/** The store `s3`. */
export interface S3Config extends Omit<S3Settings, 'forcePathStyle'> {
  readonly forcePathStyle: boolean;
}
/** The store `github`. */
export type GithubConfig = NonNullable<Properties['github']>;

/** Where traces go, and how. */
export type TracingConfig = NonNullable<Properties['tracing']>;

/** The settings, as config/settings.ts describes them. Paths are absolute. */
export interface Config extends Omit<Properties, 'requiredStores' | 'imageDirectory' | 's3' | 'jwt'> {
  readonly requiredStores: readonly StoreKind[];
  readonly imageDirectory: string;
  readonly s3: S3Config | null;
  /** null: no JSON Web Tokens are accepted. */
  readonly jwt: JwtConfig | null;
  /** Keys, tokens and passwords of the settings, which must not appear in logs. */
  readonly secrets: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const LOCAL_STORES: readonly StoreKind[] = ['filesystem', 'database', 'memory'];
const PARSERS = z.object(parsersOf(SETTINGS));

/**
 * Reads the settings from an environment. A variable with an empty value counts as not set.
 * @param directory directory that relative paths start at.
 * @throws FixativeError INVALID_INPUT that names every bad variable at once, each with what is allowed.
 */
export function parseConfig(environment: Environment, directory: string): Config {
  const { config, faults } = checkConfig(environment, directory);
  if (config) return config;
  throw new FixativeError(
    'INVALID_INPUT',
    `The configuration is not valid.\n  ${faults.join('\n  ')}\nSee .env.example.`,
  );
}

/**
 * Reads the settings as `parseConfig` does, but returns what is wrong. A fault begins with the names of its
 * variables, as in `S3_BUCKET: expected …`.
 */
export function checkConfig(
  environment: Environment,
  directory: string,
): { readonly config: Config; readonly faults: [] } | { readonly config: null; readonly faults: string[] } {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const parsed = PARSERS.safeParse(set);
  const values = parsed.success ? (parsed.data as ParsedValues<typeof SETTINGS>) : null;
  const properties = values && readProperties(SETTINGS, values);
  const faults = [
    ...(parsed.error?.issues ?? []).map((issue) => `${issue.path[0]?.toString()}: expected ${issue.message}`),
    ...(properties ? faultsOfCombinations(properties) : []),
    ...faultsOfGroup(SETTINGS, 'azure', set),
    ...faultsOfGroup(SETTINGS, 'openaiCompatible', set),
  ];
  if (!values || !properties || faults.length > 0) return { config: null, faults: [...new Set(faults)] };
  const secrets = secretsIn(SETTINGS, values);
  return { config: Object.freeze({ ...resolveConfig(properties, directory), secrets }), faults: [] };
}

/** Fills in the defaults that depend on other settings, and resolves paths. */
function resolveConfig(properties: Properties, directory: string): Omit<Config, 'secrets'> {
  const { requiredStores, imageDirectory, persistedOperationsFile, s3, stores } = properties;
  const dataDirectory = path.resolve(directory, properties.dataDirectory);
  return {
    ...properties,
    dataDirectory,
    imageDirectory: imageDirectory
      ? path.resolve(directory, imageDirectory)
      : path.join(dataDirectory, 'images'),
    persistedOperationsFile: persistedOperationsFile
      ? path.resolve(directory, persistedOperationsFile)
      : null,
    requiredStores: requiredStores ?? stores.filter((name) => LOCAL_STORES.includes(name)),
    // Few services besides Amazon give each bucket a host name.
    s3: s3 && { ...s3, forcePathStyle: s3.forcePathStyle ?? s3.endpoint !== null },
    jwt: readJwt(properties.jwt),
  };
}

/** Names the settings that do not fit together. */
function faultsOfCombinations(properties: Properties): string[] {
  const { stores, requiredStores, s3, github, jwt, persistedOperations, persistedOperationsFile } =
    properties;
  const { databaseUrl, databaseReplicaUrl } = properties;
  const faults: string[] = [];
  const unknownStores = requiredStores?.filter((name) => !stores.includes(name)) ?? [];
  if (unknownStores.length > 0)
    faults.push(`REQUIRED_STORES: expected names that are in STORES, not ${unknownStores.join(', ')}`);
  if (stores.includes('s3') && !s3) faults.push('S3_BUCKET: expected a name, because STORES has s3');
  if (stores.includes('github') && !github)
    faults.push('GITHUB_TOKEN, GITHUB_REPOSITORY: expected both, because STORES has github');
  if (databaseReplicaUrl !== null && databaseUrl === null)
    faults.push('DATABASE_REPLICA_URL: expected DATABASE_URL, the primary, beside it');
  faults.push(...faultsOfJwt(jwt));
  if (persistedOperations !== 'off' && !persistedOperationsFile)
    faults.push('PERSISTED_OPERATIONS_FILE: expected a file, because PERSISTED_OPERATIONS is set');
  return faults;
}

/** Returns a warning for each misspelt setting. It would have no effect and no error otherwise. */
export function warningsOf(environment: Environment): string[] {
  return findMisspelt(Object.keys(environment), Object.keys(SETTINGS)).map(
    ({ name, meant }) => `${name} is not a setting and has no effect. Did you mean ${meant}?`,
  );
}
