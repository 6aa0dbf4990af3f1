/** The checks of `doctor`, in the order of its output. */

import type { Config } from '../../config.ts';
import type { Database } from '../../database/database.ts';
import { endsWithin } from '../closing.ts';
import type { DatabaseOptions } from '../open-database.ts';
import { checkGallery, checkKeys, checkLogin, checkPersisted } from './access.ts';
import { checkAddress } from './address.ts';
import {
  type CheckedDatabase,
  checkClock,
  checkMigrations,
  checkRights,
  checkServer,
  makeCheckedDatabase,
} from './database.ts';
import { checkContents, checkDirectory, checkSpace } from './disk.ts';
import { checkGithub } from './github.ts';
import { providerChecks } from './providers.ts';
import { checkReplica } from './replica.ts';
import { type Check, type Finding, skipped } from './report.ts';
import { type ReadSettings, readSettings } from './settings.ts';
import { checkMarker, checkS3, checkUploadOrigins, NO_RECORD, readMarkerRecord } from './stores.ts';

export { readSettings };

/** Seconds that closing may take. A check that was late may still be opening the database. */
const CLOSE_SECONDS = 5;

/** Returns the checks that fit the settings, and what closes the database after them. */
export function makeChecks(
  settings: ReadSettings,
  options: DatabaseOptions,
): { readonly checks: readonly Check[]; readonly close: () => Promise<void> } {
  const { config, wrong } = settings;
  const ofSettings: Check = { name: 'settings', run: async () => settings.findings };
  if (config === null) {
    const remedy = 'Correct the settings first.';
    const rest = { name: 'the rest', run: async () => [skipped('The settings cannot be read.', remedy)] };
    return { checks: [ofSettings, rest], close: async () => {} };
  }
  const database = makeCheckedDatabase(config, options);
  const checks = [
    ofSettings,
    ...diskChecks(config),
    ...databaseChecks(config, database),
    ...storeChecks(config, database),
    ...providerChecks(config),
    ...accessChecks(config, database),
    { name: 'PUBLIC_URL', run: () => checkAddress(config) },
  ];
  return {
    checks: checks.map((check) => withoutWrong(check, wrong)),
    close: async () => void (await endsWithin(CLOSE_SECONDS, database.close())),
  };
}

function diskChecks(config: Config): Check[] {
  const { dataDirectory, imageDirectory, stores } = config;
  return [
    {
      name: 'DATA_DIR',
      run: async () => [
        ...(await checkDirectory('DATA_DIR', dataDirectory)),
        ...(await checkContents(config)),
      ],
    },
    ...(stores.includes('filesystem')
      ? [
          {
            name: 'GENERATED_IMAGE_DIR',
            run: () => checkDirectory('GENERATED_IMAGE_DIR', imageDirectory),
          },
        ]
      : []),
    { name: 'free space', run: () => checkSpace(config) },
  ];
}

function databaseChecks(config: Config, checked: CheckedDatabase): Check[] {
  const withDatabase = (work: (database: Database) => Promise<readonly Finding[]>) => async () => {
    const opened = await checked.get();
    // The check `database` reports why.
    return 'database' in opened ? work(opened.database) : [skipped('The database cannot be asked.')];
  };
  return [
    {
      name: 'database',
      run: async () => {
        const opened = await checked.get();
        return 'database' in opened ? checkServer(opened.database, config) : [opened.finding];
      },
    },
    { name: 'migrations', run: withDatabase(checkMigrations) },
    ...(config.databaseUrl === null
      ? []
      : [
          { name: 'rights in the database', run: withDatabase(checkRights) },
          { name: 'clock', run: withDatabase(checkClock) },
        ]),
    ...(config.databaseReplicaUrl === null ? [] : [{ name: 'replica', run: () => checkReplica(config) }]),
  ];
}

function accessChecks(config: Config, checked: CheckedDatabase): Check[] {
  const { jwt, persistedOperations, persistedOperationsFile } = config;
  const jwksUrl = jwt !== null && 'jwksUrl' in jwt.keys ? jwt.keys.jwksUrl : null;
  const file = persistedOperations === 'off' ? null : persistedOperationsFile;
  return [
    {
      name: 'login',
      run: async () => {
        const opened = await checked.get();
        return checkLogin(config, opened);
      },
    },
    ...(jwksUrl === null ? [] : [{ name: 'AUTH_JWKS_URL', run: () => checkKeys(jwksUrl) }]),
    ...(file === null ? [] : [{ name: 'persisted operations', run: () => checkPersisted(file) }]),
    { name: 'gallery', run: checkGallery },
  ];
}

function storeChecks(config: Config, checked: CheckedDatabase): Check[] {
  const checks: Readonly<Record<string, readonly Check[]>> = {
    filesystem: [
      {
        name: 'store filesystem',
        run: async () => {
          const opened = await checked.get();
          if ('database' in opened) return checkMarker(config, await readMarkerRecord(opened.database));
          return checkMarker(config, opened.isAbsent ? NO_RECORD : null);
        },
      },
    ],
    s3: [
      { name: 'store s3', run: () => checkS3(config) },
      { name: 'uploads to s3', run: () => checkUploadOrigins(config) },
    ],
    github: [{ name: 'store github', run: () => checkGithub(config) }],
  };
  return config.stores.flatMap((name) => checks[name] ?? []);
}

/** Settings by the check that would use a default in place of a wrong one. */
const SETTINGS_OF: Readonly<Record<string, RegExp>> = {
  database: /^DATABASE_URL$/,
  migrations: /^DATABASE_URL$/,
  'store filesystem': /^DATABASE_URL$/,
  'store s3': /^S3_/,
  'uploads to s3': /^(S3_|PUBLIC_URL|CORS_ORIGINS)/,
  'store github': /^GITHUB_/,
  'provider openai': /^OPENAI_(API|BASE)/,
  'provider google': /^(GEMINI|GOOGLE)_/,
  'provider xai': /^XAI_/,
  'provider bfl': /^BFL_/,
  'provider replicate': /^REPLICATE_/,
  'provider azure': /^AZURE_/,
  'provider openai-compatible': /^OPENAI_COMPATIBLE_/,
  PUBLIC_URL: /^(PUBLIC_URL|HOST|PORT|SIGNING_KEYS)$/,
};

/** Skips a check that would use the default of a wrong setting, and so another server than the one meant. */
function withoutWrong(check: Check, wrong: readonly string[]): Check {
  const name = wrong.find((each) => SETTINGS_OF[check.name]?.test(each));
  return name === undefined ? check : { ...check, run: async () => [skipped(`${name} is not valid.`)] };
}
