/** Apollo Client sends files by `UploadHttpLink` of the package apollo-upload-client. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { ApolloClient, InMemoryCache } from '@apollo/client';
// @ts-expect-error the package has its types in JSDoc, which only `allowJs` with `maxNodeModuleJsDepth` reads
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { UploadDocument } from './generated/graphql.ts';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;
const [, , path = 'picture.png'] = process.argv;

const client = new ApolloClient({
  link: new UploadHttpLink({
    uri: `${FIXATIVE_URL}/graphql`,
    headers: { authorization: `Bearer ${FIXATIVE_TOKEN}` },
  }),
  cache: new InMemoryCache(),
});

const file = new File([await openAsBlob(path)], basename(path));
const { data } = await client.mutate({
  mutation: UploadDocument,
  variables: { input: { file, tags: ['example'] } },
});
console.log(JSON.stringify(data?.uploadImage));
client.stop();
