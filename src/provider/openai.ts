/** OpenAI, and whatever speaks its Images API at another address with the same models. */
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { lookAtImages } from './images-answer.ts';
import { OPENAI_MODELS, type OpenAiModel, shutDownOn } from './models/openai.ts';
import type { PictureRequest } from './provider.ts';

/**
 * Opens the provider `openai`. It serves the models of OPENAI_MODELS, at api.openai.com without those that are shut down there.
 * Beside what every provider keeps, a picture's metadata has `created`, `size`, `quality`, `background` and `outputFormat`.
 * @see https://developers.openai.com/api/reference/resources/images/methods/generate
 */
export function openOpenAiProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openAiSdkProvider<OpenAiModel>(
    {
      name: 'openai',
      label: 'OpenAI',
      models: servedModels(options.baseUrl),
      metadataKey: 'openai',
      load: async () => {
        const { createOpenAI } = await import('@ai-sdk/openai');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createOpenAI({ apiKey, baseURL, fetch }).image(row.id);
      },
      say: sayToOpenAi,
      look: lookAtImages,
    },
    options,
  );
}

function servedModels(baseUrl: string): readonly OpenAiModel[] {
  if (new URL(baseUrl).hostname !== 'api.openai.com') return OPENAI_MODELS;
  const today = new Date();
  return OPENAI_MODELS.filter((model) => !shutDownOn(model, today));
}

export function sayToOpenAi(request: PictureRequest): Said {
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
