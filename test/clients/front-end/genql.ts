/** The client that genql generates from schema.graphql. */
import { createClient } from './generated/genql/index.ts';
import { graphql, headers, report } from './server.ts';

const client = createClient({ url: graphql, headers });
const made = await client.mutation({
  generateImage: {
    __args: { input: { prompt: 'a fox', model: 'sample', size: '64x64', userId: 'genql' } },
    images: { id: true, status: true, copies: { id: true, store: true, state: true } },
    userErrors: { __typename: true, code: true, on_QuotaExceededError: { message: true } },
  },
});
const id = made.generateImage?.images[0]?.id ?? '';
const found = await client.query({
  images: {
    __args: { filter: { userId: 'genql' }, first: 1 },
    nodes: { id: true, createdAt: true, metadata: true },
  },
  node: { __args: { id }, __typename: true, on_Image: { status: true } },
});
report({
  status: made.generateImage?.images[0]?.status,
  copies: made.generateImage?.images[0]?.copies.length,
  isListed: found.images.nodes[0]?.id === id,
  node: found.node?.__typename,
});
