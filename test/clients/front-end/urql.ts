/** urql with its normalised cache, configured by the schema and the types without a key. */
import { readFileSync } from 'node:fs';
import { Client, fetchExchange, gql } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { buildSchema, introspectionFromSchema } from 'graphql';
import { keys } from './graphcache-keys.ts';
import { graphql, headers, picture, report } from './server.ts';

const schema = introspectionFromSchema(buildSchema(readFileSync('../../../schema.graphql', 'utf8')));
const warnings: string[] = [];
const client = new Client({
  url: graphql,
  preferGetMethod: false,
  fetchOptions: { headers },
  fetchSubscriptions: true,
  exchanges: [
    cacheExchange({
      schema: schema as never,
      keys,
      resolvers: { Query: { images: relayPagination() } },
      logger(severity, message) {
        if (severity !== 'debug') warnings.push(message);
      },
    }),
    fetchExchange,
  ],
});

const UPLOAD = gql`
  mutation ($input: UploadImageInput!) {
    uploadImage(input: $input) {
      image { id tags copies { id store state } provenance { model } }
      userErrors { code message }
    }
  }
`;
const LIST = gql`
  query ($after: String) {
    images(filter: { userId: "urql" }, first: 2, after: $after) {
      nodes { id tags copies { id store state } error { code } attempts { startedAt } }
      edges { cursor node { id } }
      pageInfo { hasNextPage endCursor }
    }
    imageStats { total byTool { tool total } byDay { day total } }
    stores { name copies }
    tools { name }
    models { id provider sizes sizeRange { maxSide } }
  }
`;

const uploaded: string[] = [];
for (let count = 0; count < 3; count++) {
  const { data, error } = await client.mutation(UPLOAD, {
    input: { file: picture(), userId: 'urql', tags: ['a'] },
  });
  if (error) throw error;
  uploaded.push(data.uploadImage.image.id);
}
const first = await client.query(LIST, {});
if (first.error) throw first.error;
await client.query(LIST, { after: first.data.images.pageInfo.endCursor });
const all = await client.query(LIST, {}, { requestPolicy: 'cache-only' });
await client.mutation(
  gql`mutation ($id: ID!) { updateImage(input: { id: $id, tags: ["changed"] }) { image { id tags } userErrors { code } } }`,
  { id: uploaded[2] },
);
const changed = await client.query(LIST, {}, { requestPolicy: 'cache-only' });

const made = await client.mutation(
  gql`mutation { generateImage(input: { prompt: "a fox", model: "sample", size: "64x64", waitSeconds: 0 }) { images { id } userErrors { code } } }`,
  {},
);
const [generated] = made.data.generateImage.images;
const last = await new Promise((resolve) => {
  const { unsubscribe } = client
    .subscription(gql`subscription ($id: ID!) { imageUpdated(id: $id) { id status } }`, { id: generated.id })
    .subscribe(({ data, error }) => {
      if (error || data?.imageUpdated.status === 'SUCCESS') {
        resolve(error?.message ?? data.imageUpdated.status);
        queueMicrotask(() => unsubscribe());
      }
    });
});

report({
  uploads: uploaded.length,
  merged: all.data.images.edges.length,
  copies: all.data.images.nodes.map((node: { copies: unknown[] }) => node.copies.length),
  tags: changed.data.images.nodes.find(({ id }: { id: string }) => id === uploaded[2])?.tags,
  last,
  warnings,
});
process.exit(0);
