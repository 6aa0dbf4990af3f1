/** Generates an image and follows it until it is made. graphql-sse connects again after a break. */
import { createClient } from 'graphql-sse';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;
const client = createClient({
  url: `${FIXATIVE_URL}/graphql`,
  headers: { authorization: `Bearer ${FIXATIVE_TOKEN}` },
});

interface Generated {
  readonly generateImage: { readonly images: readonly { readonly id: string }[] } | null;
}
interface Updated {
  readonly imageUpdated: { readonly status: string; readonly url: string | null };
}

const query = `mutation { generateImage(input: { prompt: "a fox", model: "sample", size: "64x64", waitSeconds: 0 }) {
  images { id } userErrors { code message } } }`;
let id: string | undefined;
for await (const { data } of client.iterate<Generated>({ query })) id = data?.generateImage?.images[0]?.id;

const statuses: string[] = [];
const subscription = 'subscription ($id: ID!) { imageUpdated(id: $id) { status url } }';
for await (const { data } of client.iterate<Updated>({ query: subscription, variables: { id } })) {
  if (!data) continue;
  const { status, url } = data.imageUpdated;
  statuses.push(status);
  // The subscription does not end by itself.
  if (status === 'SUCCESS' || status === 'FAILED') {
    console.log(JSON.stringify({ last: statuses.at(-1), url }));
    break;
  }
}
client.dispose();
