/** `node` and `nodes`: finds an object by its global id. */
import { allows, NEEDED_SCOPES } from '../auth/authorization.ts';
import { InputError } from '../errors.ts';
import { parseUuid } from '../image/image.ts';
import { builder } from './builder/builder.ts';
import { decodeId, type GlobalId, type NodeType } from './builder/global-id.ts';
import type { GraphqlContext } from './context.ts';
import { type CopyOfImage, copyKey } from './image/copy.ts';
import { copiesOf } from './image/image.ts';

const MAX_NODES = 100;

interface Finder {
  /** Returns the key in its one form; null if it cannot be one of this type. */
  readonly parse: (key: string) => string | null;
  readonly find: (key: string, context: GraphqlContext) => Promise<object | null>;
}

const FINDERS: Readonly<Record<NodeType, Finder>> = {
  ApiToken: { parse: parseUuid, find: (key, { loaders }) => loaders.tokenById.load(key) },
  Copy: { parse: parseCopyKey, find: findCopy },
  Image: { parse: parseUuid, find: (key, { loaders }) => loaders.imageByUuid.load(key) },
};

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
  throw new InputError('INVALID_ID', `${JSON.stringify(id.slice(0, 100))} is not the id of a node.`, {
    path,
  });
}

/** Resolves to null, without a look into the database, if the caller may not see objects of this type. */
async function findNode({ type, key }: GlobalId, context: GraphqlContext): Promise<object | null> {
  return allows(context.caller, NEEDED_SCOPES.Node[type]) ? FINDERS[type].find(key, context) : null;
}

builder.queryFields((t) => ({
  node: t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: 'An object by its global id; null if there is none, or none that the caller may see.',
    args: {
      id: t.arg.id({
        required: true,
        description: 'Id of a type that implements Node, or `Image.uuid`; INVALID_ID for anything else.',
      }),
    },
    resolve: (_root, { id }, context) => findNode(parseNodeId(id, ['id']), context),
  }),
  nodes: t.field({
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    description: `Up to ${MAX_NODES} objects by their global ids, in the order of the ids.`,
    args: {
      ids: t.arg.idList({
        required: true,
        description: `Each the id of a type that implements Node, or an \`Image.uuid\`. Null is answered where there is no such object, or none that the caller may see. INVALID_ID for anything else, INVALID_INPUT for more than ${MAX_NODES}.`,
      }),
    },
    resolve: (_root, { ids }, context) => {
      if (ids.length > MAX_NODES) {
        throw new InputError('INVALID_INPUT', `There are ${ids.length} ids; ${MAX_NODES} are allowed.`, {
          path: ['ids'],
        });
      }
      return Promise.all(ids.map((id) => findNode(parseNodeId(id, ['ids']), context)));
    },
  }),
}));
