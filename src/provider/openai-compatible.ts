/** Any endpoint that speaks the Images API of OpenAI with models of its own: LocalAI, vLLM, gateways. */
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { lookAtImages } from './images-answer.ts';
import { followed } from './models/openai.ts';
import type { Model, PictureRequest } from './provider.ts';

export interface OpenAiCompatibleOptions extends ConnectionOptions {
  /** Each with the model of OPENAI_MODELS whose settings it takes, or null: a size and nothing else. */
  readonly offered: readonly { readonly name: string; readonly follows: string | null }[];
}

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
 * Opens the provider `openai-compatible`, which serves the models that it is told.
 * @throws FixativeError INVALID_INPUT for one that follows a model which is not in OPENAI_MODELS.
 */
export function openOpenAiCompatibleProvider(options: OpenAiCompatibleOptions): SdkProvider {
  const models = options.offered.map(({ name, follows }): Model => {
    const row = follows === null ? PLAIN : followed(follows, 'OPENAI_COMPATIBLE_MODELS');
    return { ...row, id: name, provider: PLAIN.provider, prices: [] };
  });
  return openAiSdkProvider(
    {
      name: PLAIN.provider,
      label: 'The OpenAI-compatible endpoint',
      models,
      metadataKey: 'openaiCompatible',
      load: async () => {
        const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
        const { apiKey, baseUrl: baseURL } = options;
        const settings = { name: 'openaiCompatible', baseURL, ...(apiKey === null ? {} : { apiKey }) };
        return (row, fetch) => createOpenAICompatible({ ...settings, fetch }).imageModel(row.id);
      },
      say,
      look: lookAtImages,
    },
    options,
  );
}

function say({ size, quality, style, background, format, user }: PictureRequest): Said {
  return {
    size: size as `${number}x${number}`,
    providerOptions: {
      // They go into the body as they are.
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
