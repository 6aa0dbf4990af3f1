/** Generates an image and follows it by EventSource, which connects again and continues where it was. */
import { Agent, type Dispatcher, EventSource } from 'undici';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;
const authorization = `Bearer ${FIXATIVE_TOKEN}`;

const response = await fetch(`${FIXATIVE_URL}/graphql`, {
  method: 'POST',
  headers: { authorization, 'content-type': 'application/json' },
  body: JSON.stringify({
    query: `mutation { generateImage(input: { prompt: "a fox", model: "sample", size: "64x64", waitSeconds: 0 }) {
      images { id } userErrors { code message } } }`,
  }),
});
const { data } = (await response.json()) as { data: { generateImage: { images: { id: string }[] } } };
const id = data.generateImage.images[0]?.id;

const query = 'subscription ($id: ID!) { imageUpdated(id: $id) { status url } }';
const parameters = new URLSearchParams({ query, variables: JSON.stringify({ id }) });
/** EventSource has no option for headers, so the dispatcher of Node adds the token. */
const withToken: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch(
    { ...options, headers: { ...(options.headers as Record<string, string>), authorization } },
    handler,
  );
const events = new EventSource(`${FIXATIVE_URL}/graphql?${parameters}`, {
  node: { dispatcher: new Agent().compose(withToken) },
});

events.addEventListener('next', (event) => {
  const { status, url } = JSON.parse((event as MessageEvent<string>).data).data.imageUpdated as {
    status: string;
    url: string | null;
  };
  if (status !== 'SUCCESS' && status !== 'FAILED') return;
  console.log(JSON.stringify({ last: status, url }));
  // The subscription does not end by itself.
  events.close();
  process.exit();
});
// An error without a close is a broken connection: EventSource connects again by itself.
events.addEventListener('error', () => {
  if (events.readyState === EventSource.CLOSED) process.exit(1);
});
