import { z } from 'zod';
import { flag, httpUrl, list, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

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

/** A model under a name of its own, and the known model whose settings it takes. */
interface NamedModel {
  readonly name: string;
  readonly follows: string | null;
}

const apiKey = z
  .string()
  .transform((text) => text.trim())
  .refine((text) => /^[\x21-\x7e]+$/.test(text), 'a key: visible characters, without spaces');

const MODEL_LIST_FORM =
  'names, or names with the model that each is like, such as pictures=gpt-image-1, separated by commas';

/** Reads `name` or `name=model`, separated by commas. */
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
    MODEL_LIST_FORM,
  )
  .refine((entries) => new Set(entries.map(({ name }) => name)).size === entries.length, 'each name once');

/** Reads `name=model`, separated by commas. */
const deploymentList = modelList
  .refine(
    (entries) => entries.every(({ follows }) => follows !== null),
    'deployments with the model of each, such as pictures=gpt-image-1, separated by commas',
  )
  .transform((entries) => entries.map(({ name, follows }) => ({ name, follows: follows ?? '' })));

/** Longest time limit for a call to a provider. */
export const MAX_PROVIDER_TIMEOUT_SECONDS = 3600;

/** Reads `provider=seconds`, separated by commas. */
const timeoutList = list
  .transform((entries) => entries.map((entry) => entry.split(/\s*=\s*/)).filter(([name]) => name))
  .refine(
    (entries) =>
      entries.every(
        ([name = '', seconds = '', ...more]) =>
          (PROVIDERS as readonly string[]).includes(name) &&
          /^\d{1,4}$/.test(seconds) &&
          Number(seconds) >= 1 &&
          Number(seconds) <= MAX_PROVIDER_TIMEOUT_SECONDS &&
          more.length === 0,
      ),
    `providers with seconds from 1 to ${MAX_PROVIDER_TIMEOUT_SECONDS}, such as openai=300,bfl=120; providers are: ${PROVIDERS.join(', ')}`,
  )
  .transform(
    (entries): Readonly<Partial<Record<ProviderName, number>>> =>
      Object.fromEntries(entries.map(([name, seconds]) => [name, Number(seconds)])),
  );

export const PROVIDERS_SECTION = {
  title: 'Providers of images',
  about: [
    'Each provider is available when its key is set; docs/providers.md says what each can do. If two providers have a model of the same name, the provider whose key comes first in this file serves it. Without any key only the provider `sample` is available, which needs none.',
    'The *_BASE_URL settings default to the services themselves. Change one to use a gateway with the same API.',
  ],
  settings: {
    OPENAI_API_KEY: {
      property: 'openai.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Key of OpenAI.',
    },
    OPENAI_BASE_URL: {
      property: 'openai.baseUrl',
      parser: httpUrl,
      default: 'https://api.openai.com/v1',
      description: 'URL of the API of OpenAI.',
    },
    GEMINI_API_KEY: {
      property: 'google.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: "Key of Google's Gemini API.",
    },
    GOOGLE_GENERATIVE_AI_API_KEY: {
      property: 'google.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Another name of GEMINI_API_KEY, read when that is not set.',
    },
    GEMINI_BASE_URL: {
      property: 'google.baseUrl',
      parser: httpUrl,
      default: 'https://generativelanguage.googleapis.com/v1beta',
      description: 'URL of the Gemini API.',
    },
    XAI_API_KEY: {
      property: 'xai.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Key of xAI.',
    },
    XAI_BASE_URL: {
      property: 'xai.baseUrl',
      parser: httpUrl,
      default: 'https://api.x.ai/v1',
      description: 'URL of the API of xAI.',
    },
    BFL_API_KEY: {
      property: 'bfl.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Key of Black Forest Labs.',
    },
    BFL_BASE_URL: {
      property: 'bfl.baseUrl',
      parser: httpUrl,
      default: 'https://api.bfl.ai/v1',
      description: 'URL of the API of Black Forest Labs.',
    },
    FAL_KEY: {
      property: 'fal.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Key of fal.',
    },
    FAL_BASE_URL: {
      property: 'fal.baseUrl',
      parser: httpUrl,
      default: 'https://fal.run',
      description: 'URL of the API of fal.',
    },
    REPLICATE_API_TOKEN: {
      property: 'replicate.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Token of Replicate.',
    },
    REPLICATE_BASE_URL: {
      property: 'replicate.baseUrl',
      parser: httpUrl,
      default: 'https://api.replicate.com/v1',
      description: 'URL of the API of Replicate.',
    },
  },
} as const satisfies Section;

export const AZURE = {
  title: "OpenAI's models in an Azure resource",
  about: ['Set all three or none.'],
  settings: {
    AZURE_OPENAI_API_KEY: {
      property: 'azure.apiKey',
      parser: apiKey,
      needed: true,
      secret: 'value',
      description: 'Key of the resource.',
    },
    AZURE_OPENAI_BASE_URL: {
      property: 'azure.baseUrl',
      parser: httpUrl,
      needed: true,
      example: 'https://example.openai.azure.com/openai/v1',
      description: 'URL of the resource.',
    },
    AZURE_OPENAI_DEPLOYMENTS: {
      property: 'azure.deployments',
      parser: deploymentList.describe('A list of deployment=model, separated by commas'),
      needed: true,
      example: 'pictures=gpt-image-1,posters=dall-e-3',
      description: 'Deployments with the model of each. Here their models are called azure/<deployment>.',
    },
  },
} as const satisfies Section;

export const OPENAI_COMPATIBLE = {
  title: "An endpoint that speaks OpenAI's Images API",
  about: [
    'OPENAI_COMPATIBLE_BASE_URL and OPENAI_COMPATIBLE_MODELS belong together. If the endpoint returns URLs that are not public, ALLOW_PRIVATE_SOURCES must name their hosts.',
  ],
  settings: {
    OPENAI_COMPATIBLE_BASE_URL: {
      property: 'openaiCompatible.baseUrl',
      parser: httpUrl,
      needed: true,
      example: 'http://localhost:8080/v1',
      description: 'URL of the endpoint.',
    },
    OPENAI_COMPATIBLE_MODELS: {
      property: 'openaiCompatible.offered',
      parser: modelList.describe('A list of model or model=known model, separated by commas'),
      needed: true,
      example: 'stablediffusion,local-edit=gpt-image-1',
      description:
        'Models that the endpoint has. With `=` a model takes the settings (edits, qualities, formats) of that OpenAI model; without it requests name a size only.',
    },
    OPENAI_COMPATIBLE_API_KEY: {
      property: 'openaiCompatible.apiKey',
      parser: apiKey,
      defaultText: 'no key is sent',
      secret: 'value',
      description: 'Key of the endpoint.',
    },
  },
} as const satisfies Section;

export const GENERATION = {
  title: 'Generation',
  settings: {
    DEFAULT_MODEL: {
      property: 'defaultModel',
      parser: z.string(),
      defaultText: 'the first model of the first provider that has a key, otherwise sample',
      example: 'sample',
      description: 'Model of a request that names none.',
    },
    PROVIDER_TIMEOUT_SECONDS: {
      property: 'providerTimeoutSeconds',
      parser: wholeNumber(1, MAX_PROVIDER_TIMEOUT_SECONDS),
      default: '180',
      description: 'Seconds that a provider may take for one image.',
    },
    PROVIDER_TIMEOUTS: {
      property: 'providerTimeouts',
      parser: timeoutList.describe(
        `A list of provider=seconds, separated by commas; 1 to ${MAX_PROVIDER_TIMEOUT_SECONDS} seconds`,
      ),
      default: '',
      defaultText: 'none',
      example: 'openai=300,bfl=120',
      description: `PROVIDER_TIMEOUT_SECONDS of single providers: ${PROVIDERS.join(', ')}.`,
    },
    GENERATIONS_PER_PROVIDER: {
      property: 'generationsPerProvider',
      parser: wholeNumber(1, 100),
      default: '4',
      description: 'Images that one process requests from one provider at the same time.',
    },
    GENERATIONS_PER_USER: {
      property: 'generationsPerUser',
      parser: wholeNumber(1, 100),
      default: '4',
      description:
        'Images that are requested for one user from one provider at the same time, over all processes.',
    },
    GENERATED_IMAGE_FORMAT: {
      property: 'generatedImageFormat',
      parser: z.enum(['png', 'jpeg', 'webp'], 'png, jpeg or webp').describe('One of png, jpeg, webp'),
      defaultText: 'the provider decides',
      description: 'Format of a request that names none, for models that let the client choose.',
    },
    SAVE_GENERATED_IMAGES: {
      property: 'saveGeneratedImages',
      parser: flag,
      default: 'true',
      description:
        'Whether generated images are stored. With false the response has each image once, as a data URL; nothing is stored or recorded, and nothing survives a restart.',
    },
  },
} as const satisfies Section;
