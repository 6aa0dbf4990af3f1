/**
 * The schema. Importing a type's file registers it with the builder. `npm run schema` writes schema.graphql
 * from it.
 */
import { GraphQLDirective, GraphQLSchema, specifiedDirectives } from 'graphql';
import './builder/scalars.ts';
import './user-error.ts';
import './image/copy.ts';
import './image/image.ts';
import './image/image-request.ts';
import './image/image-file.ts';
import './image/image-copies.ts';
import './image/provenance.ts';
import './image/duplicates.ts';
import './image/family.ts';
import './image/generation.ts';
import './image/image-list.ts';
import './image/image-facets.ts';
import './image/image-subscription.ts';
import './statistics/image-stats.ts';
import './statistics/table-fields.ts';
import './statistics/durability-stats.ts';
import './mutations/generate-image.ts';
import './mutations/upload-image.ts';
import './mutations/upload-target.ts';
import './mutations/import-image.ts';
import './mutations/record-image.ts';
import './mutations/restore-image.ts';
import './mutations/update-image.ts';
import './mutations/trash.ts';
import './tools.ts';
import './store.ts';
import './maintenance/retention.ts';
import './maintenance/retention-preview.ts';
import './maintenance/run.ts';
import './maintenance/mutations.ts';
import './maintenance/bulk-result.ts';
import './maintenance/bulk.ts';
import './maintenance/retention-run.ts';
import './maintenance/retention-mutations.ts';
import './maintenance/subscription.ts';
import './maintenance/quarantine.ts';
import './audit/audit-log.ts';
import './webhook/webhook.ts';
import './webhook/mutations.ts';
import './token.ts';
import './viewer.ts';
import './server.ts';
import './node.ts';
import { builder } from './builder/builder.ts';
import { requireListCosts } from './builder/costs.ts';
import { requireScopes } from './builder/require-scopes.ts';

const DESCRIPTION = [
  'The API of Fixative, a server that keeps the images of AI products permanently. It generates images, accepts uploads, and imports images from addresses that expire. It stores verified copies of the bytes in several stores, and repairs them.',
  'Send the token as `Authorization: Bearer …`, and files as multipart/form-data. Subscriptions are sent as server-sent events. Every mutation takes one `input` and returns one payload, whose `userErrors` say why it failed. Errors of the request itself are in `errors` of the response, each with a `code` in its `extensions`; the payload is then null.',
].join('\n\n');

/**
 * The standard directives, without the location DIRECTIVE_DEFINITION that graphql-js gives `@deprecated`. No
 * published specification has it, and clients such as graphql-core 3.2 reject a schema with it.
 */
const DIRECTIVES = specifiedDirectives.map((directive) => {
  const config = directive.toConfig();
  const locations = config.locations.filter((location) => location !== 'DIRECTIVE_DEFINITION');
  return new GraphQLDirective({ ...config, locations });
});

// Pothos has no option for the description of the schema.
const built = new GraphQLSchema({
  ...builder.toSchema({ directives: DIRECTIVES }).toConfig(),
  description: DESCRIPTION,
});

export const schema = requireListCosts(requireScopes(built));
