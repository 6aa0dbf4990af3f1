/** Black Forest Labs: a task is handed in, asked after until it is done, and its picture lies at an address for ten minutes. */
import { ProviderError } from '../errors.ts';
import { type ConnectionOptions, openAiSdkProvider, type Said, type SdkProvider } from './ai-sdk.ts';
import { BFL_MODELS, type BflModel } from './models/bfl.ts';
import { parseSize } from './models.ts';
import type { PictureRequest } from './provider.ts';
import { refused, type Subject } from './sdk-errors.ts';
import { asObject, type Call, isAddress, PLACEHOLDER_URL, readObject } from './sdk-fetch.ts';

const BFL: Subject = { name: 'bfl', label: 'Black Forest Labs' };

/** @see https://docs.bfl.ai/quick_start/pricing */
const DOLLARS_IN_A_CREDIT = 0.01;

/**
 * Opens the provider `bfl`. Beside what every provider keeps, a picture's metadata has `taskId`, `seed` and `costCredits`.
 * @see https://docs.bfl.ai/api_integration/errors
 */
export function openBflProvider(options: ConnectionOptions & { readonly apiKey: string }): SdkProvider {
  const { apiKey, baseUrl: baseURL, timeoutSeconds = 180 } = options;
  return openAiSdkProvider<BflModel>(
    {
      ...BFL,
      models: BFL_MODELS,
      metadataKey: 'blackForestLabs',
      load: async () => {
        const { createBlackForestLabs } = await import('@ai-sdk/black-forest-labs');
        // The call's own time-out ends it before the SDK tires of asking.
        const pollTimeoutMillis = (timeoutSeconds + 60) * 1000;
        return (row, fetch) =>
          createBlackForestLabs({ apiKey, baseURL, fetch, pollTimeoutMillis }).image(row.id);
      },
      say,
      hear: ({ cost, seed, duration, inputMegapixels, outputMegapixels }) => ({
        seed,
        duration,
        inputMegapixels,
        outputMegapixels,
        ...(typeof cost === 'number'
          ? { costCredits: cost, costUsd: Number((cost * DOLLARS_IN_A_CREDIT).toFixed(6)) }
          : {}),
      }),
      look,
    },
    options,
  );
}

function say({ size, seed, format }: PictureRequest, { shapes }: BflModel): Said {
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

/** The SDK takes every status that it does not know for a fault of the answer, and those of the moderation for "not yet". */
function look(text: string, call: Call): string {
  const body = readObject(text);
  if (!body) return text;
  if (typeof body.polling_url === 'string' && typeof body.id === 'string') {
    call.askAgainAt = URL.parse(body.polling_url)?.href ?? null;
    call.notes.taskId = body.id;
    return text;
  }
  const status = body.status ?? body.state;
  const end = typeof status === 'string' ? ENDS[status] : undefined;
  if (end) throw end(reasonsIn(body));
  if (status !== 'Ready') return JSON.stringify({ status: 'Pending' });
  const result = asObject(body.result);
  if (!isAddress(result?.sample)) return text;
  call.address = result.sample;
  const numbers = Object.entries(result).filter(([, value]) => typeof value === 'number');
  return JSON.stringify({ status, result: { sample: PLACEHOLDER_URL, ...Object.fromEntries(numbers) } });
}

const ENDS: Readonly<Record<string, (why: string) => ProviderError>> = {
  'Request Moderated': (why) => refused(BFL, `Request Moderated${why}`),
  'Content Moderated': (why) => refused(BFL, `Content Moderated${why}`),
  Error: (why) => failed(`Black Forest Labs says that it failed${why}.`, false),
  Failed: (why) => failed(`Black Forest Labs says that it failed${why}.`, false),
  'Task not found': () => failed('Black Forest Labs knows nothing more of the task that it took.', true),
};

function failed(message: string, paid: boolean): ProviderError {
  return new ProviderError('PROVIDER_FAILED', message, { provider: BFL.name, paid }, { retryable: true });
}

function reasonsIn({ details }: Record<string, unknown>): string {
  const reasons = Object.values(asObject(details) ?? {}).flat();
  const words = reasons.filter((reason) => typeof reason === 'string').join(', ');
  return words === '' ? '' : `: ${words.slice(0, 300)}`;
}
