import type { Tracing } from '../tracing.ts';
import type { Provider } from './provider.ts';

/**
 * Returns a provider that records a span for each call
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/). A span has no prompt.
 */
export const withSpans = (provider: Provider, tracing: Tracing): Provider => ({
  name: provider.name,
  models: provider.models,
  generate: (request, signal) =>
    tracing.during(
      `generate_content ${request.model}`,
      {
        kind: 'CLIENT',
        attributes: {
          'gen_ai.operation.name': 'generate_content',
          'gen_ai.provider.name': provider.name,
          'gen_ai.request.model': request.model,
          'gen_ai.output.type': 'image',
          'fixative.picture.size': request.size,
          'fixative.picture.references': request.references.length,
        },
      },
      () => provider.generate(request, signal),
    ),
});
