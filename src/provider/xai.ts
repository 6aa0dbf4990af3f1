/** xAI's image models. */
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { lookAtImages } from './images-answer.ts';
import type { ShapedModel } from './models/shape.ts';
import { XAI_MODELS } from './models/xai.ts';
import type { PictureRequest } from './provider.ts';
import { refused, type Subject } from './sdk-errors.ts';
import { asObject, type Call, readObject } from './sdk-fetch.ts';

const XAI: Subject = { name: 'xai', label: 'xAI' };

/** @see https://docs.x.ai/developers/cost-tracking */
const TICKS_IN_A_DOLLAR = 1e10;

/**
 * Opens the provider `xai`. Every answer says what it cost.
 * @see https://docs.x.ai/developers/model-capabilities/images/generation
 */
export function openXaiProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openAiSdkProvider<ShapedModel>(
    {
      ...XAI,
      models: XAI_MODELS,
      metadataKey: 'xai',
      load: async () => {
        const { createXai } = await import('@ai-sdk/xai');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createXai({ apiKey, baseURL, fetch }).image(row.id);
      },
      say,
      hear: ({ costInUsdTicks }) =>
        typeof costInUsdTicks === 'number' ? { costUsd: costInUsdTicks / TICKS_IN_A_DOLLAR } : {},
      look,
    },
    options,
  );
}

function say({ size, user }: PictureRequest, { shapes }: ShapedModel): Said {
  const { aspectRatio, resolution } = shapes[size] ?? {};
  return {
    ...(aspectRatio ? { aspectRatio } : {}),
    providerOptions: {
      xai: { ...(resolution ? { resolution } : {}), ...(user === '' ? {} : { user }) },
    },
  };
}

function look(text: string, call: Call): string {
  const body = readObject(text);
  const first = asObject(Array.isArray(body?.data) ? body.data[0] : null);
  if (first?.respect_moderation === false) throw refused(XAI, 'the picture did not pass its moderation.');
  return lookAtImages(text, call);
}
