import {
  createWebhook,
  DEFAULT_OVERLAP_HOURS,
  deleteWebhook,
  MAX_FILTER_VALUES,
  MAX_OVERLAP_HOURS,
  rotateSecret,
  updateWebhook,
} from '../../webhook/endpoints.ts';
import { MAX_REPLAYED, replayDelivery, replayRange, sendTest } from '../../webhook/replay.ts';
import { builder, type InputFields } from '../builder/builder.ts';
import { encodeId } from '../builder/global-id.ts';
import { mutation, type PayloadOptions } from '../mutations/mutation.ts';
import { Webhook, WebhookDelivery, WebhookEventTypeEnum } from './webhook.ts';

/** Payload fields refer to rows by their ids; Prisma reads their columns. */
type Ref = { readonly id: string } | null;

const FilterInput = builder.inputType('WebhookFilterInput', {
  description: `Conditions for the images of events. An image must meet all that are given. Each list has 1 to ${MAX_FILTER_VALUES} values.`,
  fields: (t) => ({
    userIds: t.stringList({ description: 'IDs of users, one of which the image must have.' }),
    tools: t.stringList({ description: 'Names of tools, one of which the image must have.' }),
    tags: t.stringList({ description: 'Tags, one of which the image must have.' }),
    origins: t.stringList({
      description: 'Origins, one of which the image must have: generated, uploaded, imported, recorded.',
    }),
  }),
});

const idField = (t: InputFields) =>
  t.id({
    required: true,
    description:
      '`Webhook.id`, or the UUID that `fixative webhook list` shows. INVALID_ID for anything else.',
  });

const optionalFields = (t: InputFields) => ({
  description: t.string({ description: 'Description, for people; up to 255 characters.' }),
  eventTypes: t.field({
    type: [WebhookEventTypeEnum],
    description: 'Types of the events to send; empty for all types.',
  }),
  filter: t.field({
    type: FilterInput,
    description: 'Conditions for the images of events; null for all images.',
  }),
  enabled: t.boolean({ description: 'Whether to send events.' }),
});

const webhookPayload = (name: string): PayloadOptions<{ webhook: Ref }> => ({
  description: `Payload of \`${name}\`.`,
  empty: { webhook: null },
  fields: (t) => ({
    webhook: t.expose('webhook', {
      type: Webhook,
      nullable: true,
      description: 'The webhook; null if the mutation failed and `userErrors` says why.',
    }),
  }),
});

const secretPayload = (name: string): PayloadOptions<{ webhook: Ref; secret: string | null }> => ({
  description: `Payload of \`${name}\`.`,
  empty: { webhook: null, secret: null },
  fields: (t) => ({
    secret: t.exposeString('secret', {
      nullable: true,
      description: 'Secret to verify signatures with, `whsec_…`. It is returned only this once.',
    }),
    webhook: t.expose('webhook', {
      type: Webhook,
      nullable: true,
      description: 'The webhook; null if the mutation failed and `userErrors` says why.',
    }),
  }),
});

const deliveryPayload = (name: string): PayloadOptions<{ delivery: Ref }> => ({
  description: `Payload of \`${name}\`.`,
  empty: { delivery: null },
  fields: (t) => ({
    delivery: t.expose('delivery', {
      type: WebhookDelivery,
      nullable: true,
      description: 'The queued delivery; null if the mutation failed and `userErrors` says why.',
    }),
  }),
});

mutation({
  name: 'createWebhook',
  scope: 'admin',
  description: 'Creates a webhook. Events of changes that are committed afterwards are sent to it.',
  input: {
    description: 'Endpoint and events of a new webhook.',
    fields: (t) => ({
      url: t.string({
        required: true,
        description:
          'Where to send events: https:// or http://. SOURCE_FORBIDDEN for an address that is not public, unless WEBHOOK_ALLOW_PRIVATE allows it.',
      }),
      ...optionalFields(t),
    }),
  },
  payload: secretPayload('createWebhook'),
  resolve: async (input, { services }) => {
    const { id, secret } = await createWebhook(services, input);
    return { webhook: { id }, secret };
  },
});

mutation({
  name: 'updateWebhook',
  scope: 'admin',
  description:
    'Changes a webhook. `enabled: true` enables one that the server has disabled, and sends what is pending.',
  input: {
    description: 'Changes of a webhook. Fields that are left out stay as they are.',
    fields: (t) => ({
      id: idField(t),
      url: t.string({ description: 'Where to send events, as for `createWebhook`.' }),
      ...optionalFields(t),
    }),
  },
  payload: webhookPayload('updateWebhook'),
  resolve: async ({ id, ...input }, { services }) => ({
    webhook: { id: await updateWebhook(services, String(id), input) },
  }),
});

mutation({
  name: 'deleteWebhook',
  scope: 'admin',
  description: 'Deletes a webhook with its deliveries.',
  input: { description: 'The webhook to delete.', fields: (t) => ({ id: idField(t) }) },
  payload: {
    description: 'Payload of `deleteWebhook`.',
    empty: { deletedId: null as string | null },
    fields: (t) => ({
      deletedId: t.exposeID('deletedId', {
        nullable: true,
        description: 'ID of the webhook; null if the mutation failed and `userErrors` says why.',
      }),
    }),
  },
  resolve: async ({ id }, { services }) => ({
    deletedId: encodeId({ type: 'Webhook', key: await deleteWebhook(services, String(id)) }),
  }),
});

mutation({
  name: 'rotateWebhookSecret',
  scope: 'admin',
  description: 'Makes a new secret for a webhook. For a while, the previous one signs too.',
  input: {
    description: 'The webhook whose secret to replace.',
    fields: (t) => ({
      id: idField(t),
      overlapHours: t.int({
        description: `Hours that the previous secret signs too, 0 to ${MAX_OVERLAP_HOURS}. Default: ${DEFAULT_OVERLAP_HOURS}.`,
      }),
    }),
  },
  payload: secretPayload('rotateWebhookSecret'),
  resolve: async ({ id, overlapHours }, { services }) => {
    const rotated = await rotateSecret(services, String(id), overlapHours ?? undefined);
    return { webhook: { id: rotated.id }, secret: rotated.secret };
  },
});

mutation({
  name: 'replayWebhookDelivery',
  scope: 'admin',
  description: 'Delivers an event again, with the same `webhook-id`.',
  input: {
    description: 'The delivery to repeat.',
    fields: (t) => ({
      id: t.id({
        required: true,
        description: '`WebhookDelivery.id` or its UUID. INVALID_ID for anything else.',
      }),
    }),
  },
  payload: deliveryPayload('replayWebhookDelivery'),
  resolve: async ({ id }, { services }) => ({
    delivery: { id: await replayDelivery(services, String(id)) },
  }),
});

mutation({
  name: 'replayWebhookDeliveries',
  scope: 'admin',
  description: `Delivers the events of a time range again, oldest first, at most ${MAX_REPLAYED}. Pending deliveries are left as they are.`,
  input: {
    description: 'The deliveries to repeat.',
    fields: (t) => ({
      id: idField(t),
      after: t.field({
        type: 'DateTime',
        required: true,
        description: 'Repeat events of this time or later.',
      }),
      before: t.field({ type: 'DateTime', description: 'Repeat events before this time. Default: now.' }),
      delivered: t.boolean({
        description: 'Whether to repeat the deliveries that succeeded, too. Default: false.',
      }),
    }),
  },
  payload: {
    description: 'Payload of `replayWebhookDeliveries`.',
    empty: { webhook: null as Ref, replayed: null as number | null },
    fields: (t) => ({
      replayed: t.exposeInt('replayed', {
        nullable: true,
        description: 'Number of queued deliveries; null if the mutation failed.',
      }),
      webhook: t.expose('webhook', {
        type: Webhook,
        nullable: true,
        description: 'The webhook; null if the mutation failed and `userErrors` says why.',
      }),
    }),
  },
  resolve: async ({ id: text, ...range }, { services }) => {
    const { id, replayed } = await replayRange(services, String(text), range);
    return { webhook: { id }, replayed };
  },
});

mutation({
  name: 'sendTestWebhook',
  scope: 'admin',
  description: 'Sends an event of the type `webhook.test` to a webhook, whatever its event types.',
  input: { description: 'The webhook to test.', fields: (t) => ({ id: idField(t) }) },
  payload: deliveryPayload('sendTestWebhook'),
  resolve: async ({ id }, { services }) => ({ delivery: { id: await sendTest(services, String(id)) } }),
});
