import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import type PrismaTypes from '../../database/generated/pothos.ts';
import { getDatamodel } from '../../database/generated/pothos.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../image/list/list.ts';
import type { ReceivedFile } from '../../image/upload/upload.ts';
import type { GraphqlContext } from '../context.ts';
import { LIST_COST } from './costs.ts';

/** Builder of the schema. The files of the types register their types with it. */
export const builder = new SchemaBuilder<{
  Context: GraphqlContext;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string | number };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
    BigInt: { Input: bigint; Output: number | bigint };
    Upload: { Input: Promise<ReceivedFile>; Output: never };
  };
}>({
  plugins: [RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  prisma: {
    client: (context) => context.services.database.prisma,
    dmmf: getDatamodel(),
    onUnusedQuery: null,
  },
  relay: {
    // node.ts finds objects itself, because what a caller may see depends on its token.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodesOnConnection: { description: 'The objects of this page.', extensions: { cost: LIST_COST } },
    nodeTypeOptions: { description: 'An object with a globally unique ID.' },
    edgesFieldOptions: {
      description: 'The objects of this page, each with its cursor.',
      extensions: { cost: LIST_COST },
    },
    nodeFieldOptions: { nullable: false, description: 'The object.' },
    cursorFieldOptions: {
      description:
        'Opaque cursor of this object, for `after` and `before`. Valid only for lists with the same order.',
    },
    idFieldOptions: { description: 'Globally unique ID; it never changes. `node` finds the object by it.' },
    pageInfoFieldOptions: { description: 'Cursors of this page, and whether more objects exist.' },
    pageInfoTypeOptions: {
      description: 'Information about a page: https://relay.dev/graphql/connections.htm',
    },
    hasNextPageFieldOptions: {
      description:
        'Whether objects follow this page. With `first`: true if there are more, up to `before` if it is given. With `last`, or `before` alone: true if an object is at `before` or follows it; false without `before`.',
    },
    hasPreviousPageFieldOptions: {
      description:
        'Whether objects precede this page. With `last`, or `before` alone: true if there are more, back to `after` if it is given. With `first`: true if an object is at `after` or precedes it; false without `after`.',
    },
    startCursorFieldOptions: {
      description:
        'Cursor of the first object of this page, to pass as `before` for the previous page; null when the page is empty.',
    },
    endCursorFieldOptions: {
      description:
        'Cursor of the last object of this page, to pass as `after` for the next page; null when the page is empty.',
    },
    firstArgOptions: {
      description: `Number of objects to return from the start of the list, 0 to ${MAX_PAGE_SIZE}. Default: ${DEFAULT_PAGE_SIZE}, unless \`last\` or \`before\` alone is given. Cannot be combined with \`last\`.`,
    },
    afterArgOptions: {
      description:
        'Return only objects after this cursor. With `before`: only objects between the two; none if `before` does not come after `after`. INVALID_CURSOR for a cursor of another order.',
    },
    lastArgOptions: {
      description: `Number of objects to return from the end of the list, 0 to ${MAX_PAGE_SIZE}. Default: ${DEFAULT_PAGE_SIZE}, if \`before\` alone is given. Cannot be combined with \`first\`.`,
    },
    beforeArgOptions: {
      description: 'Return only objects before this cursor. INVALID_CURSOR for a cursor of another order.',
    },
    clientMutationId: 'omit',
    cursorType: 'String',
  },
});

export type SchemaTypes = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer Types> ? Types : never;
/** Makes the fields of an input type. */
export type InputFields = PothosSchemaTypes.InputFieldBuilder<SchemaTypes, 'InputObject'>;

builder.queryType({
  description:
    'Read operations. They need the scope IMAGES_READ; `stores` and `maintenanceRuns` need STORES_READ, `tokens`, `quarantine` and `auditLog` need ADMIN, `tools`, `models`, `viewer` and `server` accept every token. A token of one user sees only the images of that user.',
});
builder.mutationType({
  description:
    'Write operations. They need the scope IMAGES_WRITE; `generateImage`, `regenerateImage` and `cancelGeneration` need IMAGES_GENERATE, `createToken`, `revokeToken`, `startVerify`, `startRestore` and `cancelMaintenanceRun` need ADMIN. The mutations of a document run one after another. If one has an error of the request, only its payload is null, and the others still run.',
});
builder.subscriptionType({
  description:
    'Events, sent as server-sent events: GET or POST /graphql with `Accept: text/event-stream`. They need the scope IMAGES_READ; `maintenanceRunUpdated` needs STORES_READ.',
});
