import { noteCall } from '../metrics.ts';
import type { Observers } from '../observers.ts';
import type { PictureRequest, Provider } from './provider.ts';

/**
 * Returns a provider whose calls are counted and timed, and recorded as spans
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/). A span has no prompt.
 */
export function observed(provider: Provider, { metrics, tracing }: Observers): Provider {
  const { name, models } = provider;
  const call = (request: PictureRequest, signal: AbortSignal) =>
    noteCall(metrics.providerCalls, { provider: name }, () => provider.generate(request, signal));
  return {
    name,
    models,
    generate: (request, signal) =>
      tracing
        ? tracing.during(`generate_content ${request.model}`, spanOf(name, request), () =>
            call(request, signal),
          )
        : call(request, signal),
  };
}

const spanOf = (provider: string, { model, size, references }: PictureRequest) =>
  ({
    kind: 'CLIENT',
    attributes: {
      'gen_ai.operation.name': 'generate_content',
      'gen_ai.provider.name': provider,
      'gen_ai.request.model': model,
      'gen_ai.output.type': 'image',
      'fixative.picture.size': size,
      'fixative.picture.references': references.length,
    },
  }) as const;
