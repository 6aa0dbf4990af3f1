/** OpenAI's models in an Azure resource, where each has the name of a deployment. */
import { type ConnectionOptions, openAiSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { lookAtImages } from './images-answer.ts';
import { followed } from './models/openai.ts';
import { sayToOpenAi } from './openai.ts';
import type { Model } from './provider.ts';
import { readObject } from './sdk-fetch.ts';

export interface AzureOptions extends ConnectionOptions {
  readonly apiKey: string;
  /** Each with the model of OPENAI_MODELS that it is a deployment of. */
  readonly deployments: readonly { readonly name: string; readonly follows: string }[];
}

interface Deployment extends Model {
  readonly deployment: string;
  readonly follows: string;
}

/**
 * Opens the provider `azure`; its models are called `azure/<deployment>`.
 * @throws FixativeError INVALID_INPUT for a deployment of a model that is not in OPENAI_MODELS.
 * @see https://learn.microsoft.com/azure/ai-foundry/openai/how-to/dall-e
 */
export function openAzureProvider(options: AzureOptions): SdkProvider {
  return openAiSdkProvider<Deployment>(
    {
      name: 'azure',
      label: 'Azure OpenAI',
      models: options.deployments.map(({ name, follows }) => ({
        ...followed(follows, 'AZURE_OPENAI_DEPLOYMENTS'),
        id: `azure/${name}`,
        provider: 'azure',
        // Azure has prices of its own.
        prices: [],
        deployment: name,
        follows,
      })),
      metadataKey: 'openai',
      load: async () => {
        const { createAzure } = await import('@ai-sdk/azure');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) =>
          createAzure({ apiKey, baseURL, fetch: amend(row, fetch) }).image(row.deployment);
      },
      say: sayToOpenAi,
      look: lookAtImages,
    },
    options,
  );
}

/**
 * The SDK knows by a model's name whether it must be told to answer with base64, and a deployment may have any name: the gpt-image
 * models refuse to be told, and the others answer with an address if they are not.
 */
function amend(row: Deployment, fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (address, init) => {
    const body = typeof init?.body === 'string' ? readObject(init.body) : null;
    if (!body) return fetch(address, init);
    const { response_format: _, ...rest } = body;
    const amended = row.follows.startsWith('dall-e') ? { ...rest, response_format: 'b64_json' } : rest;
    return fetch(address, { ...init, body: JSON.stringify(amended) });
  };
}
