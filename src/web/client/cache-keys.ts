import type { Data, KeyingConfig } from '@urql/exchange-graphcache';

const byName = (data: Data) => String(data.name);
const none = () => null;

/** Types that are part of their parent; every other type without a key here has an `id`. */
const EMBEDDED = [
  'AuditConnection',
  'AuditEdge',
  'BulkImageResult',
  'BulkResultConnection',
  'BulkResultEdge',
  'GenerationAttempt',
  'ImageConnection',
  'ImageDayStats',
  'ImageDayToolStats',
  'ImageDurabilityStats',
  'ImageEdge',
  'ImageError',
  'ImageFacet',
  'ImageFacets',
  'ImageModelStats',
  'ImageProviderStats',
  'ImageVisibilityStats',
  'ImageHourStats',
  'ImageStoreStats',
  'ImageErrorCodeStats',
  'ImageDurations',
  'ImageModelSpend',
  'ImageSpendStats',
  'VerifiedWithin',
  'StoreVerification',
  'DurabilityStats',
  'ImageStats',
  'ImageToolStats',
  'ImageUserStats',
  'MaintenanceProblem',
  'ModelPrice',
  'Provenance',
  'QuarantinedFile',
  'RetentionPolicyRecord',
  'RetentionPreview',
  'RetentionPreviewImage',
  'RetentionReasonCount',
  'RetentionRecord',
  'Server',
  'SizeRange',
  'Viewer',
  'WebhookAttempt',
  'WebhookDeliveryConnection',
  'WebhookDeliveryEdge',
  'WebhookFilter',
];

/** Keys of the types in the normalised cache. */
export const keys: KeyingConfig = {
  RetentionPolicy: byName,
  Store: byName,
  Tool: byName,
  ...Object.fromEntries(EMBEDDED.map((type) => [type, none])),
};
