/**
 * Keys of types without an `id` (docs/schema.md): types identified by a name, and types embedded in their
 * parent.
 */
import type { Data, KeyingConfig } from '@urql/exchange-graphcache';

const name = (data: Data) => String(data.name);
const none = () => null;
const EMBEDDED = [
  'AuditConnection',
  'AuditEdge',
  'ImageConnection',
  'ImageEdge',
  'ImageStats',
  'ImageToolStats',
  'ImageDayStats',
  'ImageDayToolStats',
  'ImageUserStats',
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
  'ImageDurabilityStats',
  'ImageFacets',
  'ImageFacet',
  'BulkImageResult',
  'BulkResultConnection',
  'BulkResultEdge',
  'ImageError',
  'Provenance',
  'GenerationAttempt',
  'SizeRange',
  'Viewer',
  'Server',
  'UploadHeader',
  'MaintenanceProblem',
  'QuarantinedFile',
  'RetentionPolicyRecord',
  'RetentionPreview',
  'RetentionPreviewImage',
  'RetentionReasonCount',
  'RetentionRecord',
  'WebhookAttempt',
  'WebhookDeliveryConnection',
  'WebhookDeliveryEdge',
  'WebhookFilter',
];

export const keys: KeyingConfig = {
  RetentionPolicy: name,
  Store: name,
  Tool: name,
  ...Object.fromEntries(EMBEDDED.map((type) => [type, none])),
};
