/** Models at Replicate: a prediction is asked for, asked after until it is done, and its pictures lie at addresses for an hour. */
import { ProviderError } from '../errors.ts';
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { REPLICATE_MODELS } from './models/replicate.ts';
import type { ShapedModel } from './models/shape.ts';
import type { PictureRequest } from './provider.ts';
import { type Cleaner, isRefusal, makeCleaner, refused, type Subject } from './sdk-errors.ts';
import { asObject, type Call, isAddress, PLACEHOLDER_URL, readObject } from './sdk-fetch.ts';

const REPLICATE: Subject = { name: 'replicate', label: 'Replicate' };

const POLL_MILLISECONDS = 500;
/** How long it may hold the first answer back. Once it has given an id, a connection that breaks loses nothing. */
const WAIT_SECONDS = 5;
const FORMATS: Readonly<Record<string, string>> = { png: 'png', jpeg: 'jpg', webp: 'webp' };

/**
 * Opens the provider `replicate`. Beside what every provider keeps, a picture's metadata has `predictionId` and `predictSeconds`.
 * @see https://replicate.com/docs/reference/http
 */
export function openReplicateProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  const { apiKey, baseUrl: baseURL, timeoutSeconds = 180 } = options;
  // The call's own time-out ends it before the SDK tires of asking.
  const maxPollAttempts = Math.ceil(((timeoutSeconds + 60) * 1000) / POLL_MILLISECONDS);
  const clean = makeCleaner(apiKey);
  return openAiSdkProvider<ShapedModel>(
    {
      ...REPLICATE,
      models: REPLICATE_MODELS,
      metadataKey: 'replicate',
      load: async () => {
        const { createReplicate } = await import('@ai-sdk/replicate');
        return (row, fetch) => createReplicate({ apiToken: apiKey, baseURL, fetch }).image(row.id);
      },
      say: ({ size, seed, format }: PictureRequest, { shapes }: ShapedModel): Said => ({
        ...(shapes[size] ? { aspectRatio: shapes[size].aspectRatio } : {}),
        ...(seed === null ? {} : { seed }),
        providerOptions: {
          replicate: {
            maxWaitTimeInSeconds: Math.max(1, Math.min(WAIT_SECONDS, Math.floor(timeoutSeconds / 2))),
            maxPollAttempts,
            pollIntervalMillis: POLL_MILLISECONDS,
            ...(format === null ? {} : { output_format: FORMATS[format] ?? format }),
          },
        },
      }),
      look: (text, call) => look(text, call, clean),
    },
    options,
  );
}

function look(text: string, call: Call, clean: Cleaner): string {
  const body = readObject(text);
  if (typeof body?.status !== 'string') return text;
  const { id, status, output, metrics } = body;
  const urls = asObject(body.urls);
  if (typeof urls?.get === 'string') call.askAgainAt = URL.parse(urls.get)?.href ?? null;
  const seconds = asObject(metrics)?.predict_time;
  Object.assign(call.notes, { predictionId: id, predictSeconds: seconds });
  if (ENDS.has(status)) throw ended(status, clean(String(body.error ?? 'it does not say why')));
  // What is there before it has succeeded may be half of it.
  if (status !== 'succeeded')
    return JSON.stringify({ ...body, status: 'processing', output: null, error: null });
  const first = Array.isArray(output) ? output[0] : output;
  if (!isAddress(first)) return text;
  call.address = first;
  return JSON.stringify({ ...body, output: [PLACEHOLDER_URL], error: null });
}

const ENDS: ReadonlySet<string> = new Set(['failed', 'canceled', 'aborted']);

function ended(status: string, words: string): ProviderError {
  if (isRefusal(words)) return refused(REPLICATE, words);
  // Many models are paid for by the second that they run, also where nothing comes of it.
  const subject = { provider: REPLICATE.name, paid: true };
  const message = `Replicate says that the prediction ${status}: ${words}`;
  return new ProviderError('PROVIDER_FAILED', message, subject, { retryable: true });
}
