/**
 * Models of Black Forest Labs. A task is created and polled until it ends. Its picture is at a URL for ten
 * minutes.
 */
import { ProviderError } from '../errors.ts';
import { type CallOptions, type ConnectionOptions, openSdkProvider, type SdkProvider } from './ai-sdk.ts';
import { BFL_MODELS, type BflModel } from './models/bfl.ts';
import { parseSize } from './models.ts';
import type { PictureRequest } from './provider.ts';
import { type ProviderNames, providerRefusal } from './sdk-errors.ts';
import { asObject, isHttpUrl, PLACEHOLDER_URL, parseJsonObject, type SdkCall } from './sdk-fetch.ts';

const BFL: ProviderNames = { name: 'bfl', label: 'Black Forest Labs' };

/** @see https://docs.bfl.ai/quick_start/pricing */
const DOLLARS_IN_A_CREDIT = 0.01;

/**
 * Opens the provider `bfl`. In addition to the metadata of every SDK provider, a picture has `taskId`, `seed`
 * and `costCredits`.
 * @see https://docs.bfl.ai/api_integration/errors
 */
export function openBflProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  const { apiKey, baseUrl: baseURL, timeoutSeconds = 180 } = options;
  return openSdkProvider<BflModel>(
    {
      ...BFL,
      models: BFL_MODELS,
      metadataKey: 'blackForestLabs',
      loadModelFactory: async () => {
        const { createBlackForestLabs } = await import('@ai-sdk/black-forest-labs');
        // The call's own time-out comes before this limit of the SDK.
        const pollTimeoutMillis = (timeoutSeconds + 60) * 1000;
        return (row, fetch) =>
          createBlackForestLabs({ apiKey, baseURL, fetch, pollTimeoutMillis }).image(row.id);
      },
      callOptions,
      pickMetadata: ({ cost, seed, duration, inputMegapixels, outputMegapixels }) => ({
        seed,
        duration,
        inputMegapixels,
        outputMegapixels,
        ...(typeof cost === 'number'
          ? { costCredits: cost, costUsd: Number((cost * DOLLARS_IN_A_CREDIT).toFixed(6)) }
          : {}),
      }),
      readResponse,
    },
    options,
  );
}

function callOptions({ size, seed, format }: PictureRequest, { shapes }: BflModel): CallOptions {
  const { width, height } = parseSize(size);
  const shape = shapes?.[size];
  return {
    ...(shape ? { aspectRatio: shape.aspectRatio } : {}),
    ...(seed === null ? {} : { seed }),
    providerOptions: {
      blackForestLabs: {
        ...(shape ? {} : { width, height }),
        ...(format === 'png' || format === 'jpeg' ? { outputFormat: format } : {}),
      },
    },
  };
}

/**
 * Replaces the statuses that the SDK misreads: it fails at a status that it does not know, and polls on after
 * a moderated task.
 */
function readResponse(text: string, call: SdkCall): string {
  const body = parseJsonObject(text);
  if (!body) return text;
  if (typeof body.polling_url === 'string' && typeof body.id === 'string') {
    call.pollUrl = URL.parse(body.polling_url)?.href ?? null;
    call.extraMetadata.taskId = body.id;
    return text;
  }
  const status = body.status ?? body.state;
  const failure = typeof status === 'string' ? FAILURES[status] : undefined;
  if (failure) throw failure(reasonsIn(body));
  if (status !== 'Ready') return JSON.stringify({ status: 'Pending' });
  const result = asObject(body.result);
  if (!isHttpUrl(result?.sample)) return text;
  call.pictureUrl = result.sample;
  const numbers = Object.entries(result).filter(([, value]) => typeof value === 'number');
  return JSON.stringify({ status, result: { sample: PLACEHOLDER_URL, ...Object.fromEntries(numbers) } });
}

/** Errors by the status of a task; `why` is empty or begins with a colon. */
const FAILURES: Readonly<Record<string, (why: string) => ProviderError>> = {
  'Request Moderated': (why) => providerRefusal(BFL, `Request Moderated${why}`),
  'Content Moderated': (why) => providerRefusal(BFL, `Content Moderated${why}`),
  Error: (why) => taskFailed(`Black Forest Labs failed to make the picture${why}.`, false),
  Failed: (why) => taskFailed(`Black Forest Labs failed to make the picture${why}.`, false),
  'Task not found': () => taskFailed('Black Forest Labs no longer knows the task that it accepted.', true),
};

function taskFailed(message: string, paid: boolean): ProviderError {
  return new ProviderError('PROVIDER_FAILED', message, { provider: BFL.name, paid }, { retryable: true });
}

function reasonsIn({ details }: Record<string, unknown>): string {
  const reasons = Object.values(asObject(details) ?? {}).flat();
  const words = reasons.filter((reason) => typeof reason === 'string').join(', ');
  return words === '' ? '' : `: ${words.slice(0, 300)}`;
}
