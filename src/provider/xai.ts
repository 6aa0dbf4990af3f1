/** xAI's image models. */
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { readImagesResponse } from './images-response.ts';
import type { ShapedModel } from './models/shape.ts';
import { XAI_MODELS } from './models/xai.ts';
import type { PictureRequest } from './provider.ts';
import { type ProviderNames, providerRefusal } from './sdk-errors.ts';
import { asObject, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

const XAI: ProviderNames = { name: 'xai', label: 'xAI' };

/** @see https://docs.x.ai/developers/cost-tracking */
const TICKS_IN_A_DOLLAR = 1e10;

/**
 * Opens the provider `xai`. Every response says what it cost.
 * @see https://docs.x.ai/developers/model-capabilities/images/generation
 */
export function openXaiProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openSdkProvider<ShapedModel>(
    {
      ...XAI,
      models: XAI_MODELS,
      metadataKey: 'xai',
      loadModelFactory: async () => {
        const { createXai } = await import('@ai-sdk/xai');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createXai({ apiKey, baseURL, fetch }).image(row.id);
      },
      callOptions,
      pickMetadata: ({ costInUsdTicks }) =>
        typeof costInUsdTicks === 'number' ? { costUsd: costInUsdTicks / TICKS_IN_A_DOLLAR } : {},
      readResponse,
    },
    options,
  );
}

function callOptions({ size, user }: PictureRequest, { shapes }: ShapedModel): CallOptions {
  const { aspectRatio, resolution } = shapes[size] ?? {};
  return {
    ...(aspectRatio ? { aspectRatio } : {}),
    providerOptions: {
      xai: { ...(resolution ? { resolution } : {}), ...(user === '' ? {} : { user }) },
    },
  };
}

function readResponse(text: string, call: SdkCall): string {
  const body = parseJsonObject(text);
  const first = asObject(Array.isArray(body?.data) ? body.data[0] : null);
  if (first?.respect_moderation === false) throw providerRefusal(XAI, 'the picture did not pass moderation.');
  return readImagesResponse(text, call);
}
