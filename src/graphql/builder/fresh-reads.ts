import type { GraphQLSchema } from 'graphql';
import type { GraphqlContext } from '../context.ts';
import { MAX_RELATED_PER_REQUEST } from './related-limit.ts';
import { fieldsOf } from './root-fields.ts';

/**
 * Clears the loaders wherever the database may have changed since they read it: before and after each mutation of a document, and before each
 * event of a subscription, whose context lasts as long as the subscription.
 */
export function readAfresh(schema: GraphQLSchema): GraphQLSchema {
  for (const field of fieldsOf(schema, 'Mutation')) {
    const { resolve } = field;
    if (!resolve) throw new Error(`Mutation.${field.name} has no resolver.`);
    field.resolve = async (source, args, context: GraphqlContext, info) => {
      // The payload of an earlier mutation of the same document has filled them.
      context.loaders.clear();
      try {
        return await resolve(source, args, context, info);
      } finally {
        context.loaders.clear();
      }
    };
  }
  for (const field of fieldsOf(schema, 'Subscription')) {
    const { resolve } = field;
    if (!resolve) throw new Error(`Subscription.${field.name} has no resolver.`);
    field.resolve = (source, args, context: GraphqlContext, info) => {
      context.loaders.clear();
      context.relatedLeft = MAX_RELATED_PER_REQUEST;
      return resolve(source, args, context, info);
    };
  }
  return schema;
}
