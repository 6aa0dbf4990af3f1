import { InputError } from '../errors.ts';
import type { Model, Provider } from './provider.ts';

/** The configured providers and their models. */
export interface Providers {
  readonly all: readonly Provider[];
  /** Models of the configured providers, each once. */
  readonly models: readonly Model[];
  /** All known models; `available` says whether the model's provider is configured. */
  readonly catalogue: readonly { readonly model: Model; readonly available: boolean }[];
  readonly defaultModel: Model;
  /**
   * @throws InputError MODEL_UNAVAILABLE when the model's provider is not configured, UNKNOWN_MODEL for any
   *   other id
   */
  find(modelId: string): { provider: Provider; model: Model };
}

/**
 * @param providers in order of preference: when two serve a model with the same id, the first is used
 * @param defaultModelId null: the first model of the first provider
 * @param known models of all providers, also of those that are not configured
 * @throws InputError UNKNOWN_MODEL or MODEL_UNAVAILABLE when no configured provider serves the default model
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
        `Model ${modelId} needs the provider ${elsewhere.provider}, which is not configured on this server (see .env.example). Choose one of: ${models.map((model) => model.id).join(', ')}.`,
        { path: ['input', 'model'] },
      );
    }
    throw new InputError(
      'UNKNOWN_MODEL',
      `Model ${JSON.stringify(modelId.slice(0, 100))} is unknown. Choose one of: ${models.map((model) => model.id).join(', ')}.`,
      { path: ['input', 'model'] },
    );
  }

  const first = providers[0]?.models[0];
  if (!first) throw new TypeError('At least one provider with a model is needed.');
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
