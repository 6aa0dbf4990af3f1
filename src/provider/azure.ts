/** OpenAI's models in an Azure resource. Each model is a deployment with a name of its own. */
import { type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { readImagesResponse } from './images-response.ts';
import { templateModel } from './models/openai.ts';
import { openAiCallOptions } from './openai.ts';
import type { Model } from './provider.ts';
import { parseJsonObject } from './sdk-fetch.ts';

export interface AzureOptions extends ConnectionOptions {
  readonly apiKey: string;
  /** `follows` is the model of OPENAI_MODELS that is deployed. */
  readonly deployments: readonly { readonly name: string; readonly follows: string }[];
}

interface Deployment extends Model {
  readonly deployment: string;
  readonly follows: string;
}

/**
 * Opens the provider `azure`. The ids of its models are `azure/<deployment>`.
 * @throws FixativeError INVALID_INPUT when `follows` is not in OPENAI_MODELS
 * @see https://learn.microsoft.com/azure/ai-foundry/openai/how-to/dall-e
 */
export function openAzureProvider(options: AzureOptions): SdkProvider {
  return openSdkProvider<Deployment>(
    {
      name: 'azure',
      label: 'Azure OpenAI',
      models: options.deployments.map(({ name, follows }) => ({
        ...templateModel(follows, 'AZURE_OPENAI_DEPLOYMENTS'),
        id: `azure/${name}`,
        provider: 'azure',
        // Azure has its own prices.
        prices: [],
        deployment: name,
        follows,
      })),
      metadataKey: 'openai',
      loadModelFactory: async () => {
        const { createAzure } = await import('@ai-sdk/azure');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) =>
          createAzure({ apiKey, baseURL, fetch: fixResponseFormat(row, fetch) }).image(row.deployment);
      },
      callOptions: openAiCallOptions,
      readResponse: readImagesResponse,
    },
    options,
  );
}

/**
 * Sets `response_format`. The gpt-image models reject the field; the dall-e models send a URL without it. The
 * SDK decides by the model's name, but a deployment may have any name.
 */
function fixResponseFormat(row: Deployment, fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (address, init) => {
    const body = typeof init?.body === 'string' ? parseJsonObject(init.body) : null;
    if (!body) return fetch(address, init);
    const { response_format: _, ...rest } = body;
    const amended = row.follows.startsWith('dall-e') ? { ...rest, response_format: 'b64_json' } : rest;
    return fetch(address, { ...init, body: JSON.stringify(amended) });
  };
}
