/** The schema: every type says itself to the builder when its file is read; `schema.graphql` is what comes of it. */
import { GraphQLDirective, GraphQLSchema, specifiedDirectives } from 'graphql';
import './scalars.ts';
import './user-error.ts';
import './copy.ts';
import './provenance.ts';
import './image.ts';
import './duplicates.ts';
import './family.ts';
import './image-list.ts';
import './image-stats.ts';
import './generate-image.ts';
import './generation.ts';
import './image-subscription.ts';
import './tools.ts';
import './upload-image.ts';
import './upload-target.ts';
import './import-image.ts';
import './record-image.ts';
import './restore-image.ts';
import './update-image.ts';
import './trash.ts';
import './store.ts';
import './token.ts';
import './node.ts';
import { builder } from './builder.ts';
import { readAfresh } from './fresh-reads.ts';
import { guard } from './guard.ts';
import { makePayloadsNullable } from './nullable-payloads.ts';

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
