/** Relay, with the artifacts of its compiler for relay/documents.ts. */

import { createClient } from 'graphql-sse';
import {
  commitMutation,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  type GraphQLTaggedNode,
  getRequest,
  getSelector,
  type MutationParameters,
  Network,
  Observable,
  RecordSource,
  requestSubscription,
  Store,
} from 'relay-runtime';
import galleryList from './generated/relay/documentsGallery.graphql.ts';
import galleryPage, {
  type documentsGalleryPageQuery,
} from './generated/relay/documentsGalleryPageQuery.graphql.ts';
import gallery, { type documentsGalleryQuery } from './generated/relay/documentsGalleryQuery.graphql.ts';
import generate, {
  type documentsGenerateMutation,
} from './generated/relay/documentsGenerateMutation.graphql.ts';
import imageRefetch, {
  type documentsImageRefetchQuery,
} from './generated/relay/documentsImageRefetchQuery.graphql.ts';
import updated, {
  type documentsUpdatedSubscription,
} from './generated/relay/documentsUpdatedSubscription.graphql.ts';
import update, { type documentsUpdateMutation } from './generated/relay/documentsUpdateMutation.graphql.ts';
import upload, { type documentsUploadMutation } from './generated/relay/documentsUploadMutation.graphql.ts';
import { graphql, headers, picture, report } from './server.ts';

const events = createClient({ url: graphql, headers });
const environment = new Environment({
  store: new Store(new RecordSource()),
  network: Network.create(
    async ({ text: query }, variables, _cache, uploadables) => {
      if (!uploadables) {
        const body = JSON.stringify({ query, variables });
        const json = { ...headers, 'content-type': 'application/json' };
        return (await fetch(graphql, { method: 'POST', headers: json, body })).json();
      }
      const body = new FormData();
      body.append('operations', JSON.stringify({ query, variables }));
      body.append(
        'map',
        JSON.stringify(Object.fromEntries(Object.keys(uploadables).map((at) => [at, [at]]))),
      );
      for (const [at, file] of Object.entries(uploadables)) body.append(at, file);
      return (await fetch(graphql, { method: 'POST', headers, body })).json();
    },
    ({ text, name }, variables) =>
      Observable.create((sink) =>
        events.subscribe(
          { query: text ?? '', operationName: name, variables },
          { next: (value) => sink.next(value as never), error: sink.error, complete: sink.complete },
        ),
      ),
  ),
});

function mutate<Mutation extends MutationParameters>(
  mutation: GraphQLTaggedNode,
  variables: Mutation['variables'],
  uploadables?: Record<string, File>,
): Promise<Mutation['rawResponse'] & Mutation['response']> {
  return new Promise((resolve, reject) =>
    commitMutation<Mutation>(environment, {
      mutation,
      variables,
      ...(uploadables ? { uploadables } : {}),
      onCompleted: (_response, errors) =>
        errors ? reject(new Error(JSON.stringify(errors))) : resolve(_response),
      onError: reject,
    }),
  );
}

const ids: string[] = [];
for (let count = 0; count < 3; count++) {
  const input = { file: null as never, userId: 'relay', tags: ['a'] };
  const { uploadImage } = await mutate<documentsUploadMutation>(
    upload,
    { input },
    { 'variables.input.file': picture() },
  );
  ids.push(uploadImage?.image?.id ?? '');
}

// The first page, then the next through the refetchable fragment: the store joins them into one connection.
const operation = createOperationDescriptor(getRequest(gallery), { userId: 'relay' });
environment.retain(operation);
const data = await fetchQuery<documentsGalleryQuery>(environment, gallery, { userId: 'relay' }).toPromise();
const selector = getSelector(galleryList, data as never);
if (selector === null || selector === undefined || selector.kind === 'PluralReaderSelector')
  throw new Error('no list');
interface List {
  readonly images: {
    readonly edges: readonly { readonly node: object }[];
    readonly pageInfo: { readonly endCursor: string };
  };
}
const listOf = () => environment.lookup(selector).data as unknown as List;
const first = listOf().images.edges.length;
const cursor = listOf().images.pageInfo.endCursor;
await fetchQuery<documentsGalleryPageQuery>(environment, galleryPage, {
  userId: 'relay',
  count: 2,
  cursor,
}).toPromise();
const merged = listOf().images.edges.length;

const record = (id: string) => environment.getStore().getSource().get(id);
await mutate<documentsUpdateMutation>(update, { input: { id: ids[0] ?? '', tags: ['changed'] } });
const tags = record(ids[0] ?? '')?.tags;
await fetchQuery<documentsImageRefetchQuery>(environment, imageRefetch, { id: ids[1] ?? '' }).toPromise();
const copies = ids.map((id) => (record(id)?.copies as { __refs: string[] } | undefined)?.__refs);

const made = await mutate<documentsGenerateMutation>(generate, {
  input: { prompt: 'a fox', model: 'sample', size: '64x64', userId: 'relay', waitSeconds: 0 },
});
const [kept] = (made.generateImage?.images ?? []) as unknown as { __id: string }[];
const generated = kept?.__id ?? '';
const following = Promise.withResolvers<void>();
const { dispose } = requestSubscription<documentsUpdatedSubscription>(environment, {
  subscription: updated,
  variables: { id: generated },
  onNext: () => {
    if (record(generated)?.status === 'SUCCESS') following.resolve();
  },
  onError: following.reject,
});
await following.promise;
dispose();
events.dispose();

report({
  uploads: ids.filter(Boolean).length,
  first,
  merged,
  tags,
  copiesOfEach: copies.map((refs) => refs?.length),
  copiesInAll: new Set(copies.flat()).size,
  last: record(generated)?.status,
});
