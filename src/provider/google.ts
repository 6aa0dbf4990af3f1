/** Google's Gemini models for pictures. */
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { GOOGLE_MODELS } from './models/google.ts';
import type { ShapedModel } from './models/shape.ts';
import type { PictureRequest } from './provider.ts';
import { asObject, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

/**
 * Finish reasons of a candidate that was refused because of its content.
 * @see https://ai.google.dev/api/generate-content#FinishReason
 */
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
 * Opens the provider `google`. In addition to the metadata of every SDK provider, a picture has
 * `finishReason`.
 * @see https://ai.google.dev/gemini-api/docs/image-generation
 */
export function openGoogleProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openSdkProvider<ShapedModel>(
    {
      name: 'google',
      label: 'Google',
      models: GOOGLE_MODELS,
      metadataKey: 'google',
      loadModelFactory: async () => {
        const { createGoogle } = await import('@ai-sdk/google');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createGoogle({ apiKey, baseURL, fetch }).image(row.id);
      },
      callOptions,
      readResponse,
      pickMetadata: ({ finishReason }) => ({ finishReason }),
      refusalReason: ({ finishReason, finishMessage, promptFeedback }) => {
        const blocked = asObject(promptFeedback)?.blockReason;
        const reason = blocked ?? finishReason;
        if (!blocked && !REFUSALS.has(finishReason)) return null;
        return [reason, finishMessage].filter((part) => typeof part === 'string').join(': ');
      },
    },
    options,
  );
}

function callOptions({ size, seed }: PictureRequest, { shapes }: ShapedModel): CallOptions {
  const { aspectRatio, resolution } = shapes[size] ?? {};
  return {
    ...(aspectRatio ? { aspectRatio } : {}),
    ...(seed === null ? {} : { seed }),
    providerOptions: { google: resolution ? { imageConfig: { imageSize: resolution } } : {} },
  };
}

/**
 * Notes the text of the response. Without a picture these models often explain it in text, which the SDK
 * drops.
 */
function readResponse(text: string, call: SdkCall): string {
  const candidates = parseJsonObject(text)?.candidates;
  const content = asObject(asObject(Array.isArray(candidates) ? candidates[0] : null)?.content);
  const parts = Array.isArray(content?.parts) ? content.parts.map((part) => asObject(part)?.text) : [];
  const modelText = parts.filter((part) => typeof part === 'string').join(' ');
  if (modelText !== '') call.textInstead = modelText;
  return text;
}
