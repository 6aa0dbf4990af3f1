/**
 * The table of all settings. The parser, the type `Config`, .env.example and docs/configuration.md come from
 * it.
 */
import { JWT, TOKENS, VISIBILITY } from './sections/access.ts';
import { DATABASE, MEMORY } from './sections/database.ts';
import { DELIVERY, VARIANTS } from './sections/delivery.ts';
import { QUERY_LIMITS, SCHEMA_ACCESS } from './sections/graphql.ts';
import { IMPORTS } from './sections/imports.ts';
import { LOGS } from './sections/logs.ts';
import { AZURE, GENERATION, OPENAI_COMPATIBLE, PROVIDERS_SECTION } from './sections/providers.ts';
import { POLICIES } from './sections/retention.ts';
import { SERVER } from './sections/server.ts';
import { GITHUB, RETENTION, S3, STORES, VERIFICATION } from './sections/stores.ts';
import { TRACING } from './sections/tracing.ts';
import { TIMEOUTS, TRAFFIC } from './sections/traffic.ts';
import { DECODING, QUOTAS, UPLOADS } from './sections/uploads.ts';
import { WEBHOOKS } from './sections/webhooks.ts';

/** In the order of the documentation. */
export const SECTIONS = [
  SERVER,
  DATABASE,
  MEMORY,
  STORES,
  S3,
  GITHUB,
  VERIFICATION,
  RETENTION,
  POLICIES,
  TOKENS,
  JWT,
  VISIBILITY,
  VARIANTS,
  DELIVERY,
  PROVIDERS_SECTION,
  AZURE,
  OPENAI_COMPATIBLE,
  GENERATION,
  IMPORTS,
  LOGS,
  TRACING,
  UPLOADS,
  DECODING,
  QUERY_LIMITS,
  SCHEMA_ACCESS,
  TIMEOUTS,
  TRAFFIC,
  QUOTAS,
  WEBHOOKS,
] as const;

type TableOf<Section> = Section extends { readonly settings: infer Settings }
  ? (each: Settings) => void
  : never;
type Table = TableOf<(typeof SECTIONS)[number]> extends (each: infer All) => void ? All : never;

/** Every setting by the name of its variable. */
export const SETTINGS = Object.fromEntries(
  SECTIONS.flatMap(({ settings }) => Object.entries(settings)),
) as unknown as { readonly [Name in keyof Table]: Table[Name] };
