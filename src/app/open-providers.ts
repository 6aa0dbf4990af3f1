import type { Config, ProviderName } from '../config.ts';
import type { Observers } from '../observers.ts';
import type { SdkProvider } from '../provider/ai-sdk.ts';
import { openAzureProvider } from '../provider/azure.ts';
import { openBflProvider } from '../provider/bfl.ts';
import { openFalProvider } from '../provider/fal.ts';
import { openGoogleProvider } from '../provider/google.ts';
import { knownModels } from '../provider/known-models.ts';
import { observed } from '../provider/observed.ts';
import { openOpenAiProvider } from '../provider/openai.ts';
import { openOpenAiCompatibleProvider } from '../provider/openai-compatible.ts';
import { makeProviders } from '../provider/providers.ts';
import { openReplicateProvider } from '../provider/replicate.ts';
import { makeSampleProvider } from '../provider/sample/sample.ts';
import { openXaiProvider } from '../provider/xai.ts';

/**
 * Opens the providers that are configured, in order of preference: when two have a model of the same name,
 * the first one serves it. The provider `sample` is always available.
 */
export function openProviders(config: Config, observers: Observers) {
  const opened: SdkProvider[] = [];
  const open = <Settings>(
    name: ProviderName,
    settings: Settings | null,
    openProvider: (options: Settings & { timeoutSeconds: number }) => SdkProvider,
  ) => {
    const timeoutSeconds = config.providerTimeouts[name] ?? config.providerTimeoutSeconds;
    if (settings !== null) opened.push(openProvider({ ...settings, timeoutSeconds }));
  };
  open('openai', config.openai, openOpenAiProvider);
  open('google', config.google, openGoogleProvider);
  open('xai', config.xai, openXaiProvider);
  open('bfl', config.bfl, openBflProvider);
  open('fal', config.fal, openFalProvider);
  open('replicate', config.replicate, openReplicateProvider);
  open('azure', config.azure, openAzureProvider);
  open('openai-compatible', config.openaiCompatible, openOpenAiCompatibleProvider);
  const providers = [...opened, makeSampleProvider()].map((provider) => observed(provider, observers));
  return {
    providers: makeProviders(providers, config.defaultModel, knownModels(new Date())),
    closeProviders: async () => {
      await Promise.all(opened.map((provider) => provider.close()));
    },
  };
}
