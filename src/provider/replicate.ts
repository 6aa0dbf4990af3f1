/**
 * Models at Replicate. A prediction is created and polled until it ends. Its pictures are at URLs for an
 * hour.
 */
import { ProviderError } from '../errors.ts';
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { REPLICATE_MODELS } from './models/replicate.ts';
import type { ShapedModel } from './models/shape.ts';
import type { PictureRequest } from './provider.ts';
import { isRefusal, makeRedactor, type ProviderNames, providerRefusal, type Redactor } from './sdk-errors.ts';
import { asObject, isHttpUrl, PLACEHOLDER_URL, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

const REPLICATE: ProviderNames = { name: 'replicate', label: 'Replicate' };

const POLL_MS = 500;
/**
 * Most seconds that Replicate may wait for the picture before its first response. The response has the
 * prediction's id. Afterwards a broken connection loses nothing.
 */
const WAIT_SECONDS = 5;
/** Formats in Replicate's spelling. */
const FORMATS: Readonly<Record<string, string>> = { png: 'png', jpeg: 'jpg', webp: 'webp' };

/**
 * Opens the provider `replicate`. In addition to the metadata of every SDK provider, a picture has
 * `predictionId` and `predictSeconds`.
 * @see https://replicate.com/docs/reference/http
 */
export function openReplicateProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  const { apiKey, baseUrl: baseURL, timeoutSeconds = 180 } = options;
  // The call's own time-out comes before this limit of the SDK.
  const maxPollAttempts = Math.ceil(((timeoutSeconds + 60) * 1000) / POLL_MS);
  const redact = makeRedactor(apiKey);
  return openSdkProvider<ShapedModel>(
    {
      ...REPLICATE,
      models: REPLICATE_MODELS,
      metadataKey: 'replicate',
      loadModelFactory: async () => {
        const { createReplicate } = await import('@ai-sdk/replicate');
        return (row, fetch) => createReplicate({ apiToken: apiKey, baseURL, fetch }).image(row.id);
      },
      callOptions: ({ size, seed, format }: PictureRequest, { shapes }: ShapedModel): CallOptions => ({
        ...(shapes[size] ? { aspectRatio: shapes[size].aspectRatio } : {}),
        ...(seed === null ? {} : { seed }),
        providerOptions: {
          replicate: {
            maxWaitTimeInSeconds: Math.max(1, Math.min(WAIT_SECONDS, Math.floor(timeoutSeconds / 2))),
            maxPollAttempts,
            pollIntervalMillis: POLL_MS,
            ...(format === null ? {} : { output_format: FORMATS[format] ?? format }),
          },
        },
      }),
      readResponse: (text, call) => readResponse(text, call, redact),
    },
    options,
  );
}

function readResponse(text: string, call: SdkCall, redact: Redactor): string {
  const body = parseJsonObject(text);
  if (typeof body?.status !== 'string') return text;
  const { id, status, output, metrics } = body;
  const urls = asObject(body.urls);
  if (typeof urls?.get === 'string') call.pollUrl = URL.parse(urls.get)?.href ?? null;
  const seconds = asObject(metrics)?.predict_time;
  Object.assign(call.extraMetadata, { predictionId: id, predictSeconds: seconds });
  if (FAILED_STATUSES.has(status))
    throw predictionFailed(status, redact(String(body.error ?? 'no reason given')));
  // The output of a running prediction may be incomplete.
  if (status !== 'succeeded')
    return JSON.stringify({ ...body, status: 'processing', output: null, error: null });
  const first = Array.isArray(output) ? output[0] : output;
  if (!isHttpUrl(first)) return text;
  call.pictureUrl = first;
  return JSON.stringify({ ...body, output: [PLACEHOLDER_URL], error: null });
}

const FAILED_STATUSES: ReadonlySet<string> = new Set(['failed', 'canceled', 'aborted']);

function predictionFailed(status: string, reason: string): ProviderError {
  if (isRefusal(reason)) return providerRefusal(REPLICATE, reason);
  // Many models are billed by the second, also when they fail.
  const subject = { provider: REPLICATE.name, paid: true };
  const message = `The prediction at Replicate ended as ${status}: ${reason}`;
  return new ProviderError('PROVIDER_FAILED', message, subject, { retryable: true });
}
