/** Servers of OpenAI's Images API with models of their own, such as LocalAI, vLLM and gateways. */
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { readImagesResponse } from './images-response.ts';
import { templateModel } from './models/openai.ts';
import type { Model, PictureRequest } from './provider.ts';

export interface OpenAiCompatibleOptions extends ConnectionOptions {
  /**
   * `follows` is the model of OPENAI_MODELS with the same settings; null: the model has a size and no other
   * setting.
   */
  readonly offered: readonly { readonly name: string; readonly follows: string | null }[];
}

/** Row of a model that follows no other. */
const PLAIN: Omit<Model, 'id'> = {
  provider: 'openai-compatible',
  sizes: { minSide: 64, maxSide: 4096 },
  defaultSize: '1024x1024',
  qualities: [],
  styles: [],
  maxPromptLength: 32_000,
  edits: null,
  seeds: false,
  transparency: false,
  formats: [],
  prices: [],
};

/**
 * Opens the provider `openai-compatible`, which serves the models of its options.
 * @throws FixativeError INVALID_INPUT when `follows` is not in OPENAI_MODELS
 */
export function openOpenAiCompatibleProvider(options: OpenAiCompatibleOptions): SdkProvider {
  const models = options.offered.map(({ name, follows }): Model => {
    const row = follows === null ? PLAIN : templateModel(follows, 'OPENAI_COMPATIBLE_MODELS');
    return { ...row, id: name, provider: PLAIN.provider, prices: [] };
  });
  return openSdkProvider(
    {
      name: PLAIN.provider,
      label: 'OpenAI-compatible endpoint',
      models,
      metadataKey: 'openaiCompatible',
      loadModelFactory: async () => {
        const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
        const { apiKey, baseUrl: baseURL } = options;
        const settings = { name: 'openaiCompatible', baseURL, ...(apiKey === null ? {} : { apiKey }) };
        return (row, fetch) => createOpenAICompatible({ ...settings, fetch }).imageModel(row.id);
      },
      callOptions,
      readResponse: readImagesResponse,
    },
    options,
  );
}

function callOptions({ size, quality, style, background, format, user }: PictureRequest): CallOptions {
  return {
    size: size as `${number}x${number}`,
    providerOptions: {
      // The SDK copies these into the body unchanged.
      openaiCompatible: {
        ...(quality === null ? {} : { quality }),
        ...(style === null ? {} : { style }),
        ...(background === null ? {} : { background }),
        ...(format === null ? {} : { output_format: format }),
        ...(user === '' ? {} : { user }),
      },
    },
  };
}
