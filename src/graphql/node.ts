/** `node` and `nodes`: find objects by their global ids. */
import { brandWithType } from '@pothos/core';
import { findAuditEntry } from '../audit/find-entries.ts';
import { allows } from '../auth/authorization.ts';
import type { Scope } from '../auth/caller.ts';
import { InputError } from '../errors.ts';
import { parseUuid } from '../image/image.ts';
import type { MaintenanceRun as MaintenanceRunShape } from '../image/maintenance/run.ts';
import { AuditEntry } from './audit/audit-log.ts';
import { builder } from './builder/builder.ts';
import { LIST_COST } from './builder/costs.ts';
import { decodeId, type GlobalId, type NodeType } from './builder/global-id.ts';
import type { GraphqlContext } from './context.ts';
import { Copy, type CopyOfImage, copiesOf, copyKey } from './image/copy.ts';
import { Image } from './image/image.ts';
import { maySeeRun } from './maintenance/access.ts';
import { MaintenanceRun } from './maintenance/run.ts';
import { ApiToken } from './token.ts';
import { Webhook, WebhookDelivery } from './webhook/webhook.ts';

const MAX_NODES = 100;

/** How objects of one type are found. */
interface Finder {
  readonly type:
    | typeof ApiToken
    | typeof AuditEntry
    | typeof Copy
    | typeof Image
    | typeof MaintenanceRun
    | typeof Webhook
    | typeof WebhookDelivery;
  /** Scope that the caller must have; without it the object is not found. */
  readonly scope: Scope;
  /** Returns the canonical form of a key; null if it cannot be a key of this type. */
  readonly parse: (key: string) => string | null;
  readonly find: (key: string, context: GraphqlContext) => Promise<object | null>;
}

const FINDERS: Readonly<Record<NodeType, Finder>> = {
  ApiToken: {
    type: ApiToken,
    scope: 'admin',
    parse: parseUuid,
    find: (key, { loaders }) => loaders.tokenById.load(key),
  },
  AuditEntry: {
    type: AuditEntry,
    scope: 'admin',
    parse: (key) => (/^[1-9]\d{0,17}$/.test(key) ? key : null),
    find: (key, { services }) => findAuditEntry(services.database, BigInt(key)),
  },
  Copy: { type: Copy, scope: 'images:read', parse: parseCopyKey, find: findCopy },
  Image: {
    type: Image,
    scope: 'images:read',
    parse: parseUuid,
    find: (key, { loaders }) => loaders.imageByUuid.load(key),
  },
  MaintenanceRun: {
    type: MaintenanceRun,
    scope: 'images:read',
    parse: parseUuid,
    find: findRun,
  },
  Webhook: {
    type: Webhook,
    scope: 'admin',
    parse: parseUuid,
    find: (key, { services }) =>
      services.database.prismaTransaction((transaction) =>
        transaction.webhook.findUnique({ where: { id: key }, omit: { secret: true, previousSecret: true } }),
      ),
  },
  WebhookDelivery: {
    type: WebhookDelivery,
    scope: 'admin',
    parse: parseUuid,
    find: (key, { services }) =>
      services.database.prismaTransaction((transaction) =>
        transaction.webhookDelivery.findUnique({ where: { id: key } }),
      ),
  },
};

async function findRun(
  key: string,
  { loaders, caller }: GraphqlContext,
): Promise<MaintenanceRunShape | null> {
  const run = await loaders.maintenanceRunById.load(key);
  return run && maySeeRun(caller, run) ? run : null;
}

function parseCopyKey(key: string): string | null {
  const { uuid, store } = splitCopyKey(key);
  const parsed = parseUuid(uuid);
  return parsed && store ? copyKey({ imageUuid: parsed, store }) : null;
}

async function findCopy(key: string, context: GraphqlContext): Promise<CopyOfImage | null> {
  const { uuid, store } = splitCopyKey(key);
  const image = await context.loaders.imageByUuid.load(uuid);
  const copies = image ? await copiesOf(image, context) : [];
  return copies.find((copy) => copy.store === store) ?? null;
}

function splitCopyKey(key: string): { uuid: string; store: string } {
  const [uuid = '', ...store] = key.split(':');
  return { uuid, store: store.join(':') };
}

/** @throws InputError INVALID_ID */
function parseNodeId(id: string, path: readonly string[]): GlobalId {
  const given = parseUuid(id) ? ({ type: 'Image', key: id } as const) : decodeId(id);
  const key = given && FINDERS[given.type].parse(given.key);
  if (given && key) return { type: given.type, key };
  throw new InputError(
    'INVALID_ID',
    `${JSON.stringify(id.slice(0, 100))} is not the id of a node. Use the \`id\` of an object, or \`Image.uuid\`.`,
    { path },
  );
}

/** Returns null, without reading the database, if the caller may not see objects of this type. */
async function findNode({ type, key }: GlobalId, context: GraphqlContext): Promise<object | null> {
  const finder = FINDERS[type];
  if (!allows(context.caller, finder.scope)) return null;
  const node = await finder.find(key, context);
  // Tells GraphQL the type of the object.
  if (node) brandWithType(node, finder.type);
  return node;
}

builder.queryFields((t) => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description:
      'Returns an object by its global ID; null if it does not exist or the caller may not see it.',
    extensions: { scope: 'images:read' },
    args: {
      id: t.arg.id({
        required: true,
        description: 'Global ID of the object (`Node.id`), or `Image.uuid`. INVALID_ID for anything else.',
      }),
    },
    resolve: (_root, { id }, context) => findNode(parseNodeId(String(id), ['id']), context),
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Returns up to ${MAX_NODES} objects by their global IDs, in the order of \`ids\`. An entry is null if the object does not exist or the caller may not see it.`,
    extensions: { scope: 'images:read', cost: LIST_COST },
    args: {
      ids: t.arg.idList({
        required: true,
        description: `Global IDs of the objects (\`Node.id\`), or \`Image.uuid\`s. INVALID_ID for anything else, INVALID_INPUT for more than ${MAX_NODES}.`,
      }),
    },
    resolve: (_root, { ids }, context) => {
      if (ids.length > MAX_NODES) {
        throw new InputError(
          'INVALID_INPUT',
          `ids has ${ids.length} entries; at most ${MAX_NODES} are allowed. Ask for the others in another request.`,
          { path: ['ids'] },
        );
      }
      return Promise.all(ids.map((id) => findNode(parseNodeId(String(id), ['ids']), context)));
    },
  }),
}));
