import path from 'node:path';
import { z } from 'zod';
import { flag, httpUrl, list, type Values, wholeNumber } from './values.ts';

/** The kinds of store that STORES may name. `memory` is for tests. */
const STORE_KINDS = ['filesystem', 'database', 's3', 'github', 'memory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];
const LOCAL_STORES: readonly StoreKind[] = ['filesystem', 'database', 'memory'];

export interface S3Config {
  readonly bucket: string;
  /** null: Amazon's, by AWS_REGION. */
  readonly endpoint: string | null;
  readonly prefix: string;
  readonly forcePathStyle: boolean;
  /** Where the objects can be fetched without credentials, such as a CDN. */
  readonly publicUrl: string | null;
  /** How long the server may be silent, and how long a connection to it may take. */
  readonly timeoutSeconds: number;
  readonly connectTimeoutSeconds: number;
}

export interface GithubConfig {
  readonly token: string;
  /** `owner/name` */
  readonly repository: string;
  readonly branch: string;
  readonly directory: string;
  readonly apiUrl: string;
}

export interface StoresConfig {
  /** In read order. */
  readonly stores: readonly StoreKind[];
  readonly requiredStores: readonly StoreKind[];
  readonly imageDirectory: string;
  readonly s3: S3Config | null;
  readonly github: GithubConfig | null;
}

const storeList = list
  .refine((names) => names.length > 0, 'at least one store')
  .refine((names) => new Set(names).size === names.length, 'each store once')
  .pipe(z.array(z.enum(STORE_KINDS, `a list, divided by commas, of: ${STORE_KINDS.join(', ')}`)));

/** The settings of this page, as the environment has them. */
export const STORE_SETTINGS = {
  STORES: storeList.default(['filesystem', 'database']),
  REQUIRED_STORES: storeList.optional(),
  S3_BUCKET: z.string().optional(),
  S3_ENDPOINT: httpUrl.optional(),
  S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-][A-Za-z0-9._/-]*$/, 'letters, digits, dots, dashes, underscores and slashes')
    .optional(),
  S3_FORCE_PATH_STYLE: flag.optional(),
  S3_PUBLIC_URL: httpUrl.optional(),
  S3_TIMEOUT_SECONDS: wholeNumber(1, 600).default(15),
  S3_CONNECT_TIMEOUT_SECONDS: wholeNumber(1, 600).default(5),
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
} as const;

type StoreValues = Values<typeof STORE_SETTINGS>;

/** What does not fit together. */
export function faultsOfStores(values: StoreValues): string[] {
  const faults: string[] = [];
  const strangers = values.REQUIRED_STORES?.filter((name) => !values.STORES.includes(name)) ?? [];
  if (strangers.length > 0)
    faults.push(`REQUIRED_STORES: expected names that are in STORES, not ${strangers.join(', ')}`);
  if (values.STORES.includes('s3') && !values.S3_BUCKET)
    faults.push('S3_BUCKET: expected a name, because STORES has s3');
  if (values.STORES.includes('github') && !(values.GITHUB_TOKEN && values.GITHUB_REPOSITORY)) {
    faults.push('GITHUB_TOKEN, GITHUB_REPOSITORY: expected both, because STORES has github');
  }
  return faults;
}

/** @param directory what relative paths are relative to. */
export function readStores(
  values: StoreValues,
  { directory, dataDirectory }: { directory: string; dataDirectory: string },
): StoresConfig {
  return {
    stores: values.STORES,
    requiredStores: values.REQUIRED_STORES ?? values.STORES.filter((name) => LOCAL_STORES.includes(name)),
    imageDirectory: values.GENERATED_IMAGE_DIR
      ? path.resolve(directory, values.GENERATED_IMAGE_DIR)
      : path.join(dataDirectory, 'images'),
    s3: values.S3_BUCKET
      ? {
          bucket: values.S3_BUCKET,
          endpoint: values.S3_ENDPOINT ?? null,
          prefix: values.S3_PREFIX ?? '',
          // Few endpoints besides Amazon's have a name for each bucket.
          forcePathStyle: values.S3_FORCE_PATH_STYLE ?? values.S3_ENDPOINT !== undefined,
          publicUrl: values.S3_PUBLIC_URL ?? null,
          timeoutSeconds: values.S3_TIMEOUT_SECONDS,
          connectTimeoutSeconds: values.S3_CONNECT_TIMEOUT_SECONDS,
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
  };
}
