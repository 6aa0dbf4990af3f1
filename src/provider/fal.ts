/** Models at fal; their pictures lie at addresses. */
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { FAL_MODELS, type FalModel } from './models/fal.ts';
import type { PictureRequest } from './provider.ts';
import { refused, type Subject } from './sdk-errors.ts';
import { asObject, type Call, isAddress, PLACEHOLDER_URL, readObject } from './sdk-fetch.ts';

const FAL: Subject = { name: 'fal', label: 'fal' };

/**
 * Opens the provider `fal`. Beside what every provider keeps, a picture's metadata has `seed` and `timings`.
 * @see https://fal.ai/docs/documentation/model-apis/errors
 */
export function openFalProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  return openAiSdkProvider<FalModel>(
    {
      ...FAL,
      models: FAL_MODELS,
      metadataKey: 'fal',
      load: async () => {
        const { createFal } = await import('@ai-sdk/fal');
        const { apiKey, baseUrl: baseURL } = options;
        return (row, fetch) => createFal({ apiKey, baseURL, fetch: direct(row, fetch) }).image(row.id);
      },
      say,
      hear: ({ seed, timings, contentType }) => ({ seed, timings, contentType }),
      look,
    },
    options,
  );
}

function say({ size, seed, format, references }: PictureRequest, row: FalModel): Said {
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

/** An edit goes to the model that makes edits, which the body tells. */
function direct(row: FalModel, fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return (address, init) => {
    const body = typeof init?.body === 'string' ? (readObject(init.body) ?? {}) : {};
    const id =
      'mask_url' in body ? row.maskedEditId : 'image_url' in body || 'image_urls' in body ? row.editId : null;
    const place = String(address);
    return fetch(
      id !== null && place.endsWith(`/${row.id}`) ? place.slice(0, -row.id.length) + id : address,
      init,
    );
  };
}

function look(text: string, call: Call): string {
  const body = readObject(text);
  const first = asObject(Array.isArray(body?.images) ? body.images[0] : body?.image);
  if (!body || !first) return text;
  const flagged = [body.has_nsfw_concepts, body.nsfw_content_detected].some(
    (flags) => Array.isArray(flags) && flags[0] === true,
  );
  // What comes instead is a black picture, which is charged.
  if (flagged) throw refused(FAL, 'its safety checker found what it does not show.', true);
  if (!isAddress(first.url)) return text;
  call.address = first.url;
  const { image: _, ...rest } = body;
  return JSON.stringify({ ...rest, images: [{ ...first, url: PLACEHOLDER_URL }] });
}
