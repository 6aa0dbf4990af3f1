/** Apollo Client with the documents and types of codegen.ts. */
import { ApolloClient, ApolloLink, InMemoryCache, Observable } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
// @ts-expect-error the package has its types in JSDoc, which only `allowJs` with `maxNodeModuleJsDepth` reads
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { getOperationAST, print } from 'graphql';
import { createClient } from 'graphql-sse';
import {
  GenerateImageDocument,
  ImageByIdDocument,
  ImagePageDocument,
  ImageUpdatedDocument,
  UpdateImageDocument,
  UploadImageDocument,
} from '../../generated/graphql.ts';
import possibleTypes from '../../generated/possible-types.ts';
import { graphql, headers, picture, report } from './server.ts';

const events = createClient({ url: graphql, headers });
const eventLink = new ApolloLink(
  ({ query, variables, operationName }) =>
    new Observable((observer) =>
      events.subscribe(
        { query: print(query), variables, operationName },
        {
          next: (result) => observer.next(result as ApolloLink.Result),
          error: (error) => observer.error(error),
          complete: () => observer.complete(),
        },
      ),
    ),
);
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ query }) => getOperationAST(query)?.operation === 'subscription',
    eventLink,
    new UploadHttpLink({ uri: graphql, headers }),
  ),
  cache: new InMemoryCache({
    ...possibleTypes,
    typePolicies: { Query: { fields: { images: relayStylePagination(['filter', 'orderBy']) } } },
  }),
});

const uploaded: string[] = [];
for (const prompt of ['one', 'two', 'three']) {
  const { data } = await client.mutate({
    mutation: UploadImageDocument,
    variables: { input: { file: picture(), userId: 'apollo', prompt, tags: ['apollo'] } },
  });
  uploaded.push(data?.uploadImage?.image?.id ?? '');
}

const page = { filter: { userId: 'apollo' }, first: 2 };
const list = client.watchQuery({ query: ImagePageDocument, variables: page });
const following = list.subscribe(() => {});
const first = await client.query({ query: ImagePageDocument, variables: page });
await list.fetchMore({ variables: { after: first.data?.images.pageInfo.endCursor } });
const merged = client.readQuery({ query: ImagePageDocument, variables: page })?.images.edges.length;
following.unsubscribe();

// The cache identifies an image by type and id, so the result of a mutation shows everywhere.
const { data: byId } = await client.query({ query: ImageByIdDocument, variables: { id: uploaded[0] ?? '' } });
await client.mutate({
  mutation: UpdateImageDocument,
  variables: { input: { id: uploaded[0] ?? '', tags: ['changed'] } },
});
const cached = client.readQuery({ query: ImageByIdDocument, variables: { id: uploaded[0] ?? '' } });

const made = await client.mutate({
  mutation: GenerateImageDocument,
  variables: { input: { prompt: 'a fox', model: 'sample', size: '64x64', waitSeconds: 0 } },
});
const generated = made.data?.generateImage?.images[0]?.id ?? '';
const statuses: string[] = [];
await new Promise<void>((resolve, reject) => {
  client.subscribe({ query: ImageUpdatedDocument, variables: { id: generated } }).subscribe({
    next({ data }) {
      statuses.push(data?.imageUpdated?.status ?? 'none');
      if (statuses.at(-1) === 'SUCCESS') resolve();
    },
    error: reject,
    complete: resolve,
  });
});

const refused = await client.mutate({
  mutation: UpdateImageDocument,
  variables: { input: { id: 'nonsense', tags: [] } },
});
client.stop();
events.dispose();

report({
  uploads: uploaded.filter(Boolean).length,
  merged,
  node: byId?.node && 'status' in byId.node ? byId.node.status : null,
  copies: byId?.image?.copies.length,
  tags: cached?.image?.tags,
  last: statuses.at(-1),
  error: refused.data?.updateImage?.userErrors[0]?.__typename,
});
