import { InputError } from '../errors.ts';
import type { Model, Provider } from './provider.ts';

/** The providers that are configured, and which of them serves which model. */
export interface Providers {
  /** The configured providers. */
  readonly all: readonly Provider[];
  readonly models: readonly Model[];
  /** Every model that is known, also those whose provider is not configured. */
  readonly catalogue: readonly { readonly model: Model; readonly available: boolean }[];
  readonly defaultModel: Model;
  /** @throws InputError UNKNOWN_MODEL that names the models there are; MODEL_UNAVAILABLE for one whose provider is not configured. */
  find(modelId: string): { provider: Provider; model: Model };
}

/**
 * @param providers in order of preference: where two serve a model of the same name, the first does.
 * @param known models of providers that may not be configured.
 * @throws InputError UNKNOWN_MODEL when the default is not among their models.
 */
export function makeProviders(
  providers: readonly Provider[],
  defaultModelId: string | null,
  known: readonly Model[] = [],
): Providers {
  const table = new Map<string, { provider: Provider; model: Model }>();
  for (const provider of providers) {
    for (const model of provider.models) {
      if (!table.has(model.id)) table.set(model.id, { provider, model });
    }
  }
  const models = [...table.values()].map(({ model }) => model);

  function find(modelId: string) {
    const found = table.get(modelId);
    if (found) return found;
    const elsewhere = known.find(({ id }) => id === modelId);
    if (elsewhere) {
      throw new InputError(
        'MODEL_UNAVAILABLE',
        `The model ${modelId} is of the provider ${elsewhere.provider}, which is not configured here (.env.example says how). Configured are: ${models.map((model) => model.id).join(', ')}.`,
        { path: ['input', 'model'] },
      );
    }
    throw new InputError(
      'UNKNOWN_MODEL',
      `There is no model ${JSON.stringify(modelId.slice(0, 100))}; configured are: ${models.map((model) => model.id).join(', ')}.`,
      { path: ['input', 'model'] },
    );
  }

  const first = providers[0]?.models[0];
  if (!first) throw new TypeError('There must be a provider with a model.');
  const catalogue = [
    ...models.map((model) => ({ model, available: true })),
    ...known.filter(({ id }) => !table.has(id)).map((model) => ({ model, available: false })),
  ];
  return {
    all: providers,
    models,
    catalogue,
    defaultModel: defaultModelId ? find(defaultModelId).model : first,
    find,
  };
}
