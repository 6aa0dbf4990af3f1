import type { Config } from '../config.ts';
import type { ServerFacts, Services } from '../graphql/context.ts';
import { makeProviderConcurrency } from '../image/generation/provider-concurrency.ts';
import { makeQuotas } from '../image/ingest/quota.ts';
import type { OpenedStores } from './open-stores.ts';
import { readVersion } from './version.ts';

/** Members of `Services` that come from the settings. */
type ConfiguredMember =
  | 'uploadTargetSeconds'
  | 'defaultVisibility'
  | 'variantSizes'
  | 'signedUrlMaxSeconds'
  | 'totalCountLimit'
  | 'defaultFormat'
  | 'saveImages'
  | 'transientConcurrency'
  | 'quotas'
  | 'copyUrl'
  | 'retentionMaxShare'
  | 'facts';

/** Adds what the settings decide to the parts that were opened. */
export function makeServices(
  config: Config,
  opened: Omit<Services, ConfiguredMember>,
  copyUrls: OpenedStores['copyUrls'],
): Services {
  return {
    ...opened,
    uploadTargetSeconds: config.uploadTargetSeconds,
    defaultVisibility: config.defaultVisibility,
    variantSizes: config.variantSizes,
    signedUrlMaxSeconds: config.signedUrlMaxSeconds,
    totalCountLimit: config.totalCountLimit,
    defaultFormat: config.generatedImageFormat,
    saveImages: config.saveGeneratedImages,
    transientConcurrency: makeProviderConcurrency(config.generationsPerProvider),
    quotas: makeQuotas(opened.database, config),
    copyUrl: (store, key) => copyUrls.get(store)?.(key) ?? null,
    retentionMaxShare: config.retentionMaxShare,
    facts: factsOf(config),
  };
}

const factsOf = (config: Config): ServerFacts => ({
  version: readVersion(),
  publicUrl: config.publicUrl,
  maxUploadBytes: config.maxUploadBytes,
  trashDays: config.trashDays,
  defaultVisibility: config.defaultVisibility,
  maxSignedUrlSeconds: config.signedUrlMaxSeconds,
  variantWidths: config.variantSizes,
  graphiql: config.graphiql,
});
