import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../image/list/list.ts';
import type { Attempt } from '../../webhook/deliver.ts';
import { MAX_WEBHOOKS, parseWebhookId } from '../../webhook/endpoints.ts';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../../webhook/event-types.ts';
import type { WebhookFilter } from '../../webhook/filter.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST, SCALAR_LIST_COST } from '../builder/costs.ts';
import { encodeId } from '../builder/global-id.ts';

const upper = (text: string) => text.replaceAll('.', '_').toUpperCase();

export const WebhookEventTypeEnum = builder.enumType('WebhookEventType', {
  description: 'A type of events that webhooks are told of.',
  values: Object.fromEntries(
    Object.entries(WEBHOOK_EVENT_TYPES).map(([type, description]) => [
      upper(type),
      { value: type as WebhookEventType, description },
    ]),
  ),
});

const DeliveryState = builder.enumType('WebhookDeliveryState', {
  description: 'State of a delivery.',
  values: {
    PENDING: { value: 'PENDING', description: 'The next attempt is still to come.' },
    DELIVERED: { value: 'DELIVERED', description: 'The endpoint answered with a status from 200 to 299.' },
    FAILED: { value: 'FAILED', description: 'The last attempt failed. It can be replayed.' },
  } as const,
});

const WebhookAttempt = builder.objectRef<Attempt>('WebhookAttempt').implement({
  description: 'An attempt to deliver an event.',
  fields: (t) => ({
    at: t.field({
      type: 'DateTime',
      description: 'When the attempt began.',
      resolve: ({ at }) => new Date(at),
    }),
    milliseconds: t.exposeInt('milliseconds', { description: 'Milliseconds until the answer.' }),
    status: t.exposeInt('status', {
      nullable: true,
      description: 'HTTP status of the answer; null if none came.',
    }),
    error: t.exposeString('error', {
      nullable: true,
      description: 'Why no answer came; null if one came.',
    }),
    answer: t.exposeString('answer', { description: 'First 1,024 bytes of the answer.' }),
  }),
});

export const WebhookDelivery = builder.prismaObject('WebhookDelivery', {
  description: 'An event for one webhook, with its attempts. Deliveries are kept for WEBHOOK_LOG_DAYS.',
  select: { id: true },
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Globally unique ID, for `replayWebhookDelivery` and `node`; it never changes.',
      resolve: ({ id }) => encodeId({ type: 'WebhookDelivery', key: id }),
    }),
    eventId: t.exposeString('eventId', {
      description: 'Value of the header `webhook-id`, the same for all attempts.',
    }),
    eventType: t.string({
      description: 'Type of the event, such as `image.lost`; `webhook.test` for a test.',
      select: { event: { select: { type: true } } },
      resolve: ({ event }) => event.type,
    }),
    payload: t.string({
      description: 'Body of the request, as JSON.',
      select: { event: { select: { payload: true } } },
      resolve: ({ event }) => event.payload,
    }),
    state: t.field({
      type: DeliveryState,
      description: 'State of the delivery.',
      select: { state: true },
      resolve: ({ state }) => state as 'PENDING',
    }),
    attempts: t.field({
      type: [WebhookAttempt],
      description: 'The last 20 attempts, oldest first.',
      select: { attempts: true },
      extensions: { cost: LIST_COST },
      resolve: ({ attempts }) => attempts as unknown as Attempt[],
    }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Earliest time of the next attempt; null if none follows.',
      select: { state: true, nextAt: true },
      resolve: ({ state, nextAt }) => (state === 'PENDING' ? nextAt : null),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the delivery was queued.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the delivery succeeded or failed; null while it is pending.',
    }),
  }),
});

const WebhookFilterType = builder.objectRef<WebhookFilter>('WebhookFilter').implement({
  description: 'Conditions for the images of events. An image must meet all that are not null.',
  fields: (t) => ({
    userIds: t.stringList({
      nullable: true,
      description: 'IDs of users, one of which the image must have.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ userIds }) => userIds && [...userIds],
    }),
    tools: t.stringList({
      nullable: true,
      description: 'Names of tools, one of which the image must have.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ tools }) => tools && [...tools],
    }),
    tags: t.stringList({
      nullable: true,
      description: 'Tags, one of which the image must have.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ tags }) => tags && [...tags],
    }),
    origins: t.stringList({
      nullable: true,
      description: 'Origins, one of which the image must have: generated, uploaded, imported, recorded.',
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ origins }) => origins && [...origins],
    }),
  }),
});

export const Webhook = builder.prismaObject('Webhook', {
  description:
    'An endpoint that the server sends events to, signed as https://www.standardwebhooks.com says. Its secret is shown only once, when it is created.',
  select: { id: true },
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Globally unique ID; it never changes.',
      resolve: ({ id }) => encodeId({ type: 'Webhook', key: id }),
    }),
    url: t.exposeString('url', { description: 'Where events are sent.' }),
    description: t.exposeString('description', { description: 'Description, for people.' }),
    eventTypes: t.field({
      type: [WebhookEventTypeEnum],
      description: 'Types of the events to send; empty for all types.',
      select: { eventTypes: true },
      extensions: { cost: SCALAR_LIST_COST },
      resolve: ({ eventTypes }) => eventTypes as WebhookEventType[],
    }),
    filter: t.field({
      type: WebhookFilterType,
      nullable: true,
      description: 'Conditions for the images of events; null for all images.',
      select: { filter: true },
      resolve: ({ filter }) => filter as WebhookFilter | null,
    }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether events are sent.' }),
    disabledReason: t.exposeString('disabledReason', {
      nullable: true,
      description: 'Why the server disabled the webhook; null if it did not.',
    }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the first of the failed attempts since the last success ended; null if there is none.',
    }),
    previousSecretUntil: t.expose('previousSecretUntil', {
      type: 'DateTime',
      nullable: true,
      description: 'Until when the previous secret signs too; null if there is none.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the webhook was created.' }),
    deliveries: t.relatedConnection(
      'deliveries',
      {
        cursor: 'id',
        defaultSize: DEFAULT_PAGE_SIZE,
        maxSize: MAX_PAGE_SIZE,
        description: 'A page of the deliveries, newest first.',
        query: { orderBy: { id: 'desc' } },
      },
      { name: 'WebhookDeliveryConnection', description: 'A page of deliveries.' },
      { name: 'WebhookDeliveryEdge', description: 'A delivery of a page, with its cursor.' },
    ),
  }),
});

builder.queryFields((t) => ({
  webhooks: t.prismaField({
    type: [Webhook],
    description: `Returns the webhooks, oldest first. There are at most ${MAX_WEBHOOKS}.`,
    extensions: { scope: 'admin', cost: LIST_COST },
    resolve: (query, _root, _args, { services }) =>
      services.database.prismaTransaction((transaction) =>
        transaction.webhook.findMany({ ...query, orderBy: { id: 'asc' }, take: MAX_WEBHOOKS }),
      ),
  }),
  webhook: t.prismaField({
    type: Webhook,
    nullable: true,
    description: 'Returns a webhook; null if it does not exist.',
    extensions: { scope: 'admin' },
    args: {
      id: t.arg.id({
        required: true,
        description:
          '`Webhook.id`, or the UUID that `fixative webhook list` shows. INVALID_ID for anything else.',
      }),
    },
    resolve: (query, _root, { id }, { services }) =>
      services.database.prismaTransaction((transaction) =>
        transaction.webhook.findUnique({ ...query, where: { id: parseWebhookId(String(id)) } }),
      ),
  }),
}));
