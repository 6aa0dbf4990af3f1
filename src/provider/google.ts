/** Google's Gemini models that make pictures. */
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { GOOGLE_MODELS } from './models/google.ts';
import type { ShapedModel } from './models/shape.ts';
import type { PictureRequest } from './provider.ts';
import { asObject, type Call, readObject } from './sdk-fetch.ts';

/** Why a candidate ended, where it ended because of what it shows. @see https://ai.google.dev/api/generate-content#FinishReason */
const REFUSALS: ReadonlySet<unknown> = new Set([
  'SAFETY',
  'IMAGE_SAFETY',
  'PROHIBITED_CONTENT',
  'IMAGE_PROHIBITED_CONTENT',
  'RECITATION',
  'IMAGE_RECITATION',
  'BLOCKLIST',
  'SPII',
]);

/**
 * Opens the provider `google`. Beside what every provider keeps, a picture's metadata has `finishReason`.
 * @see https://ai.google.dev/gemini-api/docs/image-generation
 */
export function openGoogleProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openAiSdkProvider<ShapedModel>(
    {
      name: 'google',
      label: 'Google',
      models: GOOGLE_MODELS,
      metadataKey: 'google',
      load: async () => {
        const { createGoogle } = await import('@ai-sdk/google');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createGoogle({ apiKey, baseURL, fetch }).image(row.id);
      },
      say,
      look,
      hear: ({ finishReason }) => ({ finishReason }),
      whyNone: ({ finishReason, finishMessage, promptFeedback }) => {
        const blocked = asObject(promptFeedback)?.blockReason;
        const reason = blocked ?? finishReason;
        if (!blocked && !REFUSALS.has(finishReason)) return null;
        return [reason, finishMessage].filter((word) => typeof word === 'string').join(': ');
      },
    },
    options,
  );
}

function say({ size, seed }: PictureRequest, { shapes }: ShapedModel): Said {
  const { aspectRatio, resolution } = shapes[size] ?? {};
  return {
    ...(aspectRatio ? { aspectRatio } : {}),
    ...(seed === null ? {} : { seed }),
    providerOptions: { google: resolution ? { imageConfig: { imageSize: resolution } } : {} },
  };
}

/** Where there is no picture, these models often say why in words, which the SDK drops. */
function look(text: string, call: Call): string {
  const candidates = readObject(text)?.candidates;
  const content = asObject(asObject(Array.isArray(candidates) ? candidates[0] : null)?.content);
  const parts = Array.isArray(content?.parts) ? content.parts.map((part) => asObject(part)?.text) : [];
  const words = parts.filter((part) => typeof part === 'string').join(' ');
  if (words !== '') call.words = words;
  return text;
}
