import { z } from 'zod';
import { bytes, flag, httpUrl, list, schedule, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

/** The kinds of store that STORES may name. `memory` is for tests. */
const STORE_KINDS = ['filesystem', 'database', 's3', 'github', 'memory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

const storeList = list
  .refine((names) => names.length > 0, 'at least one store')
  .refine((names) => new Set(names).size === names.length, 'each store once')
  .pipe(z.array(z.enum(STORE_KINDS, `a list, separated by commas, of: ${STORE_KINDS.join(', ')}`)));

export const STORES = {
  title: 'Stores',
  settings: {
    STORES: {
      property: 'stores',
      parser: storeList.describe('A list of filesystem, database, s3, github'),
      default: 'filesystem,database',
      description: 'Stores that keep a copy of every image, in the order in which they are read.',
    },
    REQUIRED_STORES: {
      property: 'requiredStores',
      parser: storeList.describe('A list of names that are in STORES'),
      defaultText: 'the local stores of STORES (filesystem, database)',
      example: 'filesystem,database',
      description:
        'Stores that must hold an image before the upload is acknowledged. The other stores get their copies later.',
    },
    HEAL_DELAY_SECONDS: {
      property: 'healDelaySeconds',
      parser: wholeNumber(0, 86_400),
      default: '10',
      description:
        'Seconds until a copy is restored that was found missing or corrupt while its image was served.',
    },
    GENERATED_IMAGE_DIR: {
      property: 'imageDirectory',
      parser: z.string(),
      defaultText: 'the directory images in DATA_DIR',
      example: './data/images',
      description: 'Directory of the store filesystem.',
    },
  },
} as const satisfies Section;

export const S3 = {
  title: 'Store s3',
  about: [
    'Any S3-compatible endpoint. Credentials and the region are read as the AWS SDK reads them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, profiles, roles.',
  ],
  settings: {
    S3_BUCKET: {
      property: 's3.bucket',
      parser: z.string(),
      needed: true,
      description: 'Name of the bucket. Needed if STORES has s3.',
    },
    S3_ENDPOINT: {
      property: 's3.endpoint',
      parser: httpUrl,
      defaultText: "Amazon's endpoint of AWS_REGION",
      example: 'https://s3.example.com',
      description: 'URL of a service other than Amazon.',
    },
    S3_PREFIX: {
      property: 's3.prefix',
      parser: z
        .string()
        .regex(
          /^([A-Za-z0-9._-][A-Za-z0-9._/-]*)?$/,
          'letters, digits, dots, dashes, underscores and slashes',
        )
        .describe('Letters, digits, dots, dashes, underscores and slashes'),
      default: '',
      description: 'Text that the keys of all objects begin with.',
    },
    S3_FORCE_PATH_STYLE: {
      property: 's3.forcePathStyle',
      parser: flag,
      defaultText: 'true if S3_ENDPOINT is set, otherwise false',
      example: 'true',
      description: 'Whether the bucket stands in the path of the URL instead of the host name.',
    },
    S3_PUBLIC_URL: {
      property: 's3.publicUrl',
      parser: httpUrl,
      defaultText: 'none',
      description:
        'URL under which the bucket can be read without credentials, such as a CDN. `Copy.url` begins with it.',
    },
    S3_TIMEOUT_SECONDS: {
      property: 's3.timeoutSeconds',
      parser: wholeNumber(1, 600),
      default: '15',
      description:
        'Seconds without a byte from S3 after which a request fails. A read waits only one second before it also asks the next store.',
    },
    S3_CONNECT_TIMEOUT_SECONDS: {
      property: 's3.connectTimeoutSeconds',
      parser: wholeNumber(1, 600),
      default: '5',
      description: 'Seconds to wait for a connection to S3.',
    },
  },
} as const satisfies Section;

export const GITHUB = {
  title: 'Store github',
  about: ['A directory of a GitHub repository. A file may have 100 MiB at most.'],
  settings: {
    GITHUB_TOKEN: {
      property: 'github.token',
      parser: z.string(),
      needed: true,
      secret: 'value',
      description:
        'Token with read and write access to the contents of the repository. Needed if STORES has github.',
    },
    GITHUB_REPOSITORY: {
      property: 'github.repository',
      parser: z.string().regex(/^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/, 'owner/name'),
      needed: true,
      example: 'owner/name',
      description: 'Repository, as owner/name. Needed if STORES has github.',
    },
    GITHUB_BRANCH: {
      property: 'github.branch',
      parser: z.string(),
      default: 'main',
      description: 'Branch to commit to.',
    },
    GITHUB_DIRECTORY: {
      property: 'github.directory',
      parser: z
        .string()
        .regex(/^[A-Za-z0-9_-][A-Za-z0-9._/-]*$/, 'a path that does not begin with a slash')
        .describe('A path that does not begin with a slash'),
      default: 'file-library',
      description: 'Directory of the files in the repository.',
    },
    GITHUB_API_URL: {
      property: 'github.apiUrl',
      parser: httpUrl,
      default: 'https://api.github.com',
      description: 'URL of the GitHub API. Change it for GitHub Enterprise.',
    },
  },
} as const satisfies Section;

export const VERIFICATION = {
  title: 'Verification',
  about: [
    'A run reads copies and compares their hashes. It begins with the copies that were not verified for the longest time.',
  ],
  settings: {
    VERIFY_SCHEDULE: {
      property: 'verifySchedule',
      parser: schedule,
      default: '0 3 * * *',
      description: 'When a run begins.',
    },
    VERIFY_SECONDS: {
      property: 'verifySeconds',
      parser: wholeNumber(1, 86_400),
      default: '3600',
      description: 'Seconds that a run may take.',
    },
    VERIFY_BYTES_PER_SECOND: {
      property: 'verifyBytesPerSecond',
      parser: bytes,
      default: '50 MiB',
      description: 'Bytes that a run may read in a second.',
    },
  },
} as const satisfies Section;

export const RETENTION = {
  title: 'Trash, quarantine and free disk space',
  settings: {
    QUARANTINE_DAYS: {
      property: 'quarantineDays',
      parser: wholeNumber(0, 3650),
      default: '30',
      description:
        'Days that orphans are kept in DATA_DIR/quarantine before they are deleted. Orphans are objects that `restore --all` finds in a store without a record in the database.',
    },
    TRASH_DAYS: {
      property: 'trashDays',
      parser: wholeNumber(0, 3650),
      default: '30',
      description: 'Days that a deleted image stays in the trash before it is purged.',
    },
    AUDIT_DAYS: {
      property: 'auditDays',
      parser: wholeNumber(1, 36_500),
      default: '365',
      description: 'Days that entries of the audit log are kept.',
    },
    MIN_FREE_BYTES: {
      property: 'minFreeBytes',
      parser: bytes,
      default: '256 MiB',
      description:
        'Free disk space below which the server accepts no more images. Below a quarter of it the embedded database refuses all writes, even to metadata, because PostgreSQL ends when it cannot write its log.',
    },
  },
} as const satisfies Section;
