/** Types of events, with their descriptions in the schema. */
export const WEBHOOK_EVENT_TYPES = {
  'image.succeeded': 'An image was generated, uploaded, imported or recorded, and its bytes are stored.',
  'image.failed': 'The generation of an image failed or was cancelled.',
  'image.lost': 'No store has a healthy copy of an image any more.',
  'image.degraded': 'A copy of an image is missing or corrupt, and another copy is healthy.',
  'image.deleted': 'An image was moved to the trash, or deleted without it.',
  'store.unreachable': 'A store stopped to answer.',
  'store.recovered': 'A store that was unreachable answers again.',
  'verify.finished': 'A verify ended, whatever its outcome.',
} as const;

export type WebhookEventType = keyof typeof WEBHOOK_EVENT_TYPES;

/** Type of the event that `sendTestWebhook` sends. Endpoints get it whatever their types and filter. */
export const TEST_EVENT = 'webhook.test';

export const isEventType = (text: string): text is WebhookEventType =>
  Object.hasOwn(WEBHOOK_EVENT_TYPES, text);
