import { InputError } from '../errors.ts';
import type { Model, Provider } from './provider.ts';

/** The providers that are configured, and which of them serves which model. */
export interface Providers {
  readonly models: readonly Model[];
  readonly defaultModel: Model;
  /** @throws InputError UNKNOWN_MODEL that names the models there are. */
  find(modelId: string): { provider: Provider; model: Model };
}

/**
 * @param providers in order of preference: where two serve a model of the same name, the first does.
 * @throws InputError UNKNOWN_MODEL when the default is not among their models.
 */
export function makeProviders(providers: readonly Provider[], defaultModelId: string | null): Providers {
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
    throw new InputError(
      'UNKNOWN_MODEL',
      `There is no model ${JSON.stringify(modelId.slice(0, 100))}; configured are: ${models.map((model) => model.id).join(', ')}.`,
      { path: ['input', 'model'] },
    );
  }

  const first = providers[0]?.models[0];
  if (!first) throw new TypeError('There must be a provider with a model.');
  return { models, defaultModel: defaultModelId ? find(defaultModelId).model : first, find };
}
