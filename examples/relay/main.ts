/** Relay without React: a connection, a mutation, and the record that it changes in the store. */
import relay, { type MutationParameters } from 'relay-runtime';
import gallery, { type documentsGalleryQuery } from './generated/documentsGalleryQuery.graphql.ts';
import generate, { type documentsGenerateMutation } from './generated/documentsGenerateMutation.graphql.ts';
import update, { type documentsUpdateMutation } from './generated/documentsUpdateMutation.graphql.ts';

const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;
const { commitMutation, Environment, fetchQuery, Network, RecordSource, Store } = relay;

const environment = new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(async ({ text: query }, variables) => {
    const response = await fetch(`${FIXATIVE_URL}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${FIXATIVE_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    return response.json();
  }),
});

const mutate = <Mutation extends MutationParameters>(
  mutation: Parameters<typeof commitMutation>[1]['mutation'],
  variables: Mutation['variables'],
) =>
  new Promise<Mutation['response']>((resolve, reject) =>
    commitMutation<Mutation>(environment, {
      mutation,
      variables,
      onCompleted: (response, errors) =>
        errors ? reject(new Error(JSON.stringify(errors))) : resolve(response),
      onError: reject,
    }),
  );

const userId = 'relay-example';
for (const prompt of ['one', 'two', 'three'])
  await mutate<documentsGenerateMutation>(generate, {
    input: { prompt, model: 'sample', size: '64x64', userId },
  });

const prompts: string[] = [];
const ids: string[] = [];
let cursor: string | null | undefined = null;
do {
  const variables: documentsGalleryQuery['variables'] = { userId, count: 2, cursor };
  const data: documentsGalleryQuery['response'] | undefined = await fetchQuery<documentsGalleryQuery>(
    environment,
    gallery,
    variables,
  ).toPromise();
  for (const { node } of data?.images.edges ?? []) {
    prompts.push(node.prompt);
    ids.push(node.id);
  }
  cursor = data?.images.pageInfo.hasNextPage ? data.images.pageInfo.endCursor : null;
} while (cursor);

// The result of a mutation changes the record of the image, wherever it is shown.
await mutate<documentsUpdateMutation>(update, { input: { id: ids[0] ?? '', tags: ['changed'] } });
const record = environment
  .getStore()
  .getSource()
  .get(ids[0] ?? '');
console.log(JSON.stringify({ prompts, tags: record?.tags }));
