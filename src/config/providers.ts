import { z } from 'zod';
import { httpUrl, list, type Values, wholeNumber } from './values.ts';

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

export interface ProvidersConfig {
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
  /** For those that have one of their own. */
  readonly providerTimeouts: Readonly<Partial<Record<ProviderName, number>>>;
}

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

/** The settings of this page, as the environment has them. */
export const PROVIDER_SETTINGS = {
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
  PROVIDER_TIMEOUTS: timeoutList.default({}),
} as const;

const AZURE_SETTINGS = ['AZURE_OPENAI_API_KEY', 'AZURE_OPENAI_BASE_URL', 'AZURE_OPENAI_DEPLOYMENTS'];
const COMPATIBLE_SETTINGS = [
  'OPENAI_COMPATIBLE_BASE_URL',
  'OPENAI_COMPATIBLE_MODELS',
  'OPENAI_COMPATIBLE_API_KEY',
];

/** What is lacking of what means nothing without it. @param set what is set at all. */
export function faultsOfProviders(set: Readonly<Record<string, unknown>>): string[] {
  return [
    ...incomplete(set, AZURE_SETTINGS, AZURE_SETTINGS),
    ...incomplete(set, COMPATIBLE_SETTINGS, COMPATIBLE_SETTINGS.slice(0, 2)),
  ];
}

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

export function readProviders(values: Values<typeof PROVIDER_SETTINGS>): ProvidersConfig {
  return {
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
    providerTimeouts: values.PROVIDER_TIMEOUTS,
  };
}

function connection(apiKey: string | undefined, baseUrl: string): ConnectionConfig | null {
  return apiKey === undefined ? null : { apiKey, baseUrl };
}
