/** urql sends a `File` in the variables by itself. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { Client, fetchExchange } from '@urql/core';
import { UploadDocument } from './generated/graphql.ts';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;
const [, , path = 'picture.png'] = process.argv;

const client = new Client({
  url: `${FIXATIVE_URL}/graphql`,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization: `Bearer ${FIXATIVE_TOKEN}` } },
  exchanges: [fetchExchange],
});

const file = new File([await openAsBlob(path)], basename(path));
const { data, error } = await client.mutation(UploadDocument, { input: { file, tags: ['example'] } });
if (error) throw error;
console.log(JSON.stringify(data?.uploadImage));
