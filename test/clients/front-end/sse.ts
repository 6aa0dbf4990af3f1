/** graphql-sse, in the mode of distinct connections. */
import { createClient } from 'graphql-sse';
import { graphql, headers, report } from './server.ts';

const client = createClient({ url: graphql, headers });
const ask = async (query: string, variables = {}) => {
  for await (const result of client.iterate<Record<string, never>>({ query, variables }))
    return result.data ?? {};
  return {};
};
const { __typename } = await ask('{ __typename }');
const made: { generateImage?: { images: { id: string }[] } } = await ask(
  'mutation { generateImage(input: { prompt: "a fox", model: "sample", size: "64x64", waitSeconds: 0 }) { images { id } userErrors { code } } }',
);
const statuses: string[] = [];
const query = 'subscription ($id: ID!) { imageUpdated(id: $id) { status } }';
const variables = { id: made.generateImage?.images[0]?.id };
for await (const { data } of client.iterate<{ imageUpdated: { status: string } }>({ query, variables })) {
  statuses.push(data?.imageUpdated.status ?? 'none');
  if (statuses.at(-1) === 'SUCCESS') break;
}
client.dispose();
report({ query: __typename, last: statuses.at(-1) });
