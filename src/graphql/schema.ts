/** The schema: every type says itself to the builder when its file is read; `schema.graphql` is what comes of it. */
import { GraphQLDirective, GraphQLSchema, specifiedDirectives } from 'graphql';
import './builder/scalars.ts';
import './user-error.ts';
import './image/copy.ts';
import './image/provenance.ts';
import './image/image.ts';
import './image/duplicates.ts';
import './image/family.ts';
import './image/image-list.ts';
import './image/image-stats.ts';
import './mutations/generate-image.ts';
import './image/generation.ts';
import './image/image-subscription.ts';
import './tools.ts';
import './mutations/upload-image.ts';
import './mutations/upload-target.ts';
import './mutations/import-image.ts';
import './mutations/record-image.ts';
import './mutations/restore-image.ts';
import './mutations/update-image.ts';
import './mutations/trash.ts';
import './store.ts';
import './token.ts';
import './node.ts';
import { builder } from './builder/builder.ts';
import { readAfresh } from './builder/fresh-reads.ts';
import { makePayloadsNullable } from './builder/nullable-payloads.ts';
import { guard } from './builder/require-scopes.ts';

const DESCRIPTION = [
  'The API of Fixative, a server that keeps the images of AI products permanent. It generates images, takes uploads and fetches images from addresses that will expire. It keeps verified copies of the bytes in several stores, and repairs them.',
  'Send the token as `Authorization: Bearer …`, files as multipart/form-data; subscriptions come as server-sent events. Every mutation takes one `input` and answers one payload. Its `userErrors` say what the caller can change. All other errors are in `errors` of the answer, each with a `code` in its `extensions`; the payload is null then.',
].join('\n\n');

/**
 * graphql-js allows `@deprecated` on definitions of directives. No published specification has that location, and clients that read
 * introspection, such as graphql-core 3.2, reject a schema with it.
 */
const DIRECTIVES = specifiedDirectives.map((directive) => {
  const config = directive.toConfig();
  const locations = config.locations.filter((location) => location !== 'DIRECTIVE_DEFINITION');
  return new GraphQLDirective({ ...config, locations });
});

/** Pothos takes no description of the schema. */
const built = new GraphQLSchema({
  ...builder.toSchema({ directives: DIRECTIVES }).toConfig(),
  description: DESCRIPTION,
});

export const schema = guard(readAfresh(makePayloadsNullable(built)));
