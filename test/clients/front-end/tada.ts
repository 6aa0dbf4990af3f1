/**
 * gql.tada: documents in the program, typed by the types that its command line generates from schema.graphql.
 */

import { initGraphQLTada, type ResultOf, type VariablesOf } from 'gql.tada';
import { print } from 'graphql';
import type { introspection } from './generated/tada.d.ts';
import { graphql as address, headers, report } from './server.ts';

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { BigInt: number; DateTime: string; JSON: unknown; Upload: File };
}>();

const COPIES = graphql(`fragment Copies on Image @_unmask { copies { id store state } }`);
const GENERATE = graphql(
  `mutation ($input: GenerateImageInput!) {
    generateImage(input: $input) { images { id status createdAt ...Copies } userErrors { __typename code } }
  }`,
  [COPIES],
);

async function ask<Document>(
  document: Document,
  variables: VariablesOf<Document>,
): Promise<ResultOf<Document>> {
  const response = await fetch(address, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(document as never), variables }),
  });
  const { data } = (await response.json()) as { data: ResultOf<Document> };
  return data;
}

const { generateImage } = await ask(GENERATE, { input: { prompt: 'a fox', model: 'sample', size: '64x64' } });
const [image] = generateImage?.images ?? [];
// These would not compile if a type were not the schema's.
const status: 'PENDING' | 'PROCESSING' | 'SUCCESS' | 'FAILED' | undefined = image?.status;
const stores: string[] | undefined = image?.copies.map(({ store }) => store);
const made: string | undefined = image?.createdAt;
report({ status, stores, isTime: made !== undefined && !Number.isNaN(Date.parse(made)) });
