import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import type PrismaTypes from '../../database/generated/pothos.ts';
import { getDatamodel } from '../../database/generated/pothos.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../image/list/list.ts';
import type { ReceivedFile } from '../../image/upload/upload.ts';
import type { GraphqlContext } from '../context.ts';

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
    nodesOnConnection: { description: 'The images of the page, without their cursors.' },
    nodeTypeOptions: { description: 'Anything that has an id.' },
    edgesFieldOptions: { description: 'The images of the page, each with the cursor behind it.' },
    nodeFieldOptions: { nullable: false, description: 'The image.' },
    cursorFieldOptions: {
      description:
        'Where the image stands: what `after` and `before` take. Opaque, and good for lists of the same order only.',
    },
    idFieldOptions: { description: 'Opaque, and the same for ever.' },
    pageInfoFieldOptions: { description: 'Whether there is more, and from where.' },
    pageInfoTypeOptions: {
      description: 'Where a page begins and ends: https://relay.dev/graphql/connections.htm',
    },
    hasNextPageFieldOptions: {
      description:
        'Whether more images follow. Going forward (`first`): whether more follow ahead of `before`, or in the list. Going backward (`last`, or `before` alone): whether an image is at `before` or follows it; false without `before`.',
    },
    hasPreviousPageFieldOptions: {
      description:
        'Whether more images precede. Going backward (`last`, or `before` alone): whether more precede behind `after`, or in the list. Going forward (`first`): whether an image is at `after` or precedes it; false without `after`.',
    },
    startCursorFieldOptions: {
      description:
        'The cursor of the first image of the page, as `before` of the one ahead of it; null where the page is empty.',
    },
    endCursorFieldOptions: {
      description:
        'The cursor of the last image of the page, as `after` of the next one; null where the page is empty.',
    },
    firstArgOptions: {
      description: `How many images at most, 0 to ${MAX_PAGE_SIZE}: the first ones of the list, or of those between \`after\` and \`before\`. Default: ${DEFAULT_PAGE_SIZE}, unless \`last\` or \`before\` alone is given. Not with \`last\`.`,
    },
    afterArgOptions: {
      description:
        'Only images behind the one of this cursor. INVALID_CURSOR for one of another order. Together with `before`: the images between both; none if `before` does not come after `after`.',
    },
    lastArgOptions: {
      description: `How many images at most, 0 to ${MAX_PAGE_SIZE}: the last ones of the list, or of those between \`after\` and \`before\`. Default: ${DEFAULT_PAGE_SIZE}, if \`before\` alone is given. Not with \`first\`.`,
    },
    beforeArgOptions: {
      description: 'Only images ahead of the one of this cursor. INVALID_CURSOR for one of another order.',
    },
    clientMutationId: 'omit',
    cursorType: 'String',
  },
});

builder.queryType({
  description:
    'What can be read. It takes the scope IMAGES_READ; `stores` STORES_READ, `tokens` ADMIN, `tools` and `models` none. A token for one user is answered as if the images of others were not there.',
});
builder.mutationType({
  description:
    'What can be changed. To have images made and to end that takes the scope IMAGES_GENERATE, tokens ADMIN, all else IMAGES_WRITE. What an input can cause is in `userErrors` of the payload. Several in one document are run one after the other; where one is refused or fails, only its payload is null, and the others run.',
});
builder.subscriptionType({
  description: 'Over server-sent events: GET or POST /graphql with `Accept: text/event-stream`.',
});
