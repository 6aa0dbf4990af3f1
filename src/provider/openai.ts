/** OpenAI, and other servers of its Images API with the same models. */
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { readImagesResponse } from './images-response.ts';
import { isShutDownOn, OPENAI_MODELS, type OpenAiModel } from './models/openai.ts';
import type { PictureRequest } from './provider.ts';

/**
 * Opens the provider `openai`. It serves OPENAI_MODELS; at api.openai.com without those that are shut down.
 * In addition to the metadata of every SDK provider, a picture has `created`, `size`, `quality`, `background`
 * and `outputFormat`.
 * @see https://developers.openai.com/api/reference/resources/images/methods/generate
 */
export function openOpenAiProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openSdkProvider<OpenAiModel>(
    {
      name: 'openai',
      label: 'OpenAI',
      models: servedModels(options.baseUrl),
      metadataKey: 'openai',
      loadModelFactory: async () => {
        const { createOpenAI } = await import('@ai-sdk/openai');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createOpenAI({ apiKey, baseURL, fetch }).image(row.id);
      },
      callOptions: openAiCallOptions,
      readResponse: readImagesResponse,
    },
    options,
  );
}

function servedModels(baseUrl: string): readonly OpenAiModel[] {
  if (new URL(baseUrl).hostname !== 'api.openai.com') return OPENAI_MODELS;
  const today = new Date();
  return OPENAI_MODELS.filter((model) => !isShutDownOn(model, today));
}

/** Translates a request for the SDK's packages of OpenAI and Azure. */
export function openAiCallOptions(request: PictureRequest): CallOptions {
  const { quality, style, background, format, user } = request;
  return {
    size: request.size as `${number}x${number}`,
    providerOptions: {
      openai: {
        ...(quality === null ? {} : { quality }),
        ...(style === null ? {} : { style }),
        ...(background === null ? {} : { background }),
        ...(format === null ? {} : { outputFormat: format }),
        ...(user === '' ? {} : { user }),
      },
    },
  };
}
