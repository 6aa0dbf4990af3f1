/** Sends a file by the multipart protocol of GraphQL, without a library. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;
const [, , path = 'picture.png'] = process.argv;

const query = `mutation ($input: UploadImageInput!) {
  uploadImage(input: $input) { image { id url sha256 } userErrors { code message } }
}`;
const form = new FormData();
// `operations` first, then `map`, then the files: the server reads the parts in this order.
form.append('operations', JSON.stringify({ query, variables: { input: { file: null, tags: ['example'] } } }));
form.append('map', JSON.stringify({ file: ['variables.input.file'] }));
form.append('file', await openAsBlob(path), basename(path));

const response = await fetch(`${FIXATIVE_URL}/graphql`, {
  method: 'POST',
  // No `content-type`: fetch sets it, with the boundary.
  headers: { authorization: `Bearer ${FIXATIVE_TOKEN}` },
  body: form,
});
console.log(JSON.stringify(await response.json()));
