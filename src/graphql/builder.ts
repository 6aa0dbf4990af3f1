import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import type PrismaTypes from '../database/generated/pothos.ts';
import { getDatamodel } from '../database/generated/pothos.ts';
import type { ReceivedFile } from '../image/upload.ts';
import type { GraphqlContext } from './context.ts';

/** What every type of the schema is built with; it defines none. */
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
    // Images are found by ourselves (image.ts): one place that will decide who may see which.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodesOnConnection: true,
    nodeTypeOptions: { description: 'Anything that has an id.' },
    edgesFieldOptions: { description: 'The images of the page, each with the cursor behind it.' },
    nodeFieldOptions: { nullable: false },
    clientMutationId: 'omit',
    cursorType: 'String',
  },
});

builder.queryType({});
builder.mutationType({});
builder.subscriptionType({
  description: 'Over server-sent events: GET or POST /graphql with `Accept: text/event-stream`.',
});
