/** Models at fal. Their pictures are at URLs. */
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { FAL_MODELS, type FalModel } from './models/fal.ts';
import type { PictureRequest } from './provider.ts';
import { type ProviderNames, providerRefusal } from './sdk-errors.ts';
import { asObject, isHttpUrl, PLACEHOLDER_URL, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

const FAL: ProviderNames = { name: 'fal', label: 'fal' };

/**
 * Opens the provider `fal`. In addition to the metadata of every SDK provider, a picture has `seed` and
 * `timings`.
 * @see https://fal.ai/docs/documentation/model-apis/errors
 */
export function openFalProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openSdkProvider<FalModel>(
    {
      ...FAL,
      models: FAL_MODELS,
      metadataKey: 'fal',
      loadModelFactory: async () => {
        const { createFal } = await import('@ai-sdk/fal');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createFal({ apiKey, baseURL, fetch: routeEdits(row, fetch) }).image(row.id);
      },
      callOptions,
      pickMetadata: ({ seed, timings, contentType }) => ({ seed, timings, contentType }),
      readResponse,
    },
    options,
  );
}

function callOptions({ size, seed, format, references }: PictureRequest, row: FalModel): CallOptions {
  return {
    size: size as `${number}x${number}`,
    ...(seed === null ? {} : { seed }),
    providerOptions: {
      fal: {
        ...(format === 'png' || format === 'jpeg' ? { outputFormat: format } : {}),
        ...(references.length > 0 && row.takesMany ? { useMultipleImages: true } : {}),
      },
    },
  };
}

/** Sends edits to the model that makes edits. The fields of the body show which one. */
function routeEdits(row: FalModel, fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (address, init) => {
    const body = typeof init?.body === 'string' ? (parseJsonObject(init.body) ?? {}) : {};
    const id =
      'mask_url' in body ? row.maskedEditId : 'image_url' in body || 'image_urls' in body ? row.editId : null;
    const url = String(address);
    const isForRow = url.endsWith(`/${row.id}`);
    return fetch(id !== null && isForRow ? url.slice(0, -row.id.length) + id : address, init);
  };
}

function readResponse(text: string, call: SdkCall): string {
  const body = parseJsonObject(text);
  const first = asObject(Array.isArray(body?.images) ? body.images[0] : body?.image);
  if (!body || !first) return text;
  const flagged = [body.has_nsfw_concepts, body.nsfw_content_detected].some(
    (flags) => Array.isArray(flags) && flags[0] === true,
  );
  // fal sends a black picture instead, and charges for it.
  if (flagged) throw providerRefusal(FAL, 'its safety checker flagged the picture.', true);
  if (!isHttpUrl(first.url)) return text;
  call.pictureUrl = first.url;
  const { image: _, ...rest } = body;
  return JSON.stringify({ ...rest, images: [{ ...first, url: PLACEHOLDER_URL }] });
}
