import { type GraphQLSchema, getNullableType } from 'graphql';
import { fieldsOf } from './root-fields.ts';

/**
 * Makes the payload of every mutation nullable. If one mutation of a document fails (FORBIDDEN, INTERNAL, …), only its field is null: the
 * payloads of the others, which have run, are still answered.
 */
export function makePayloadsNullable(schema: GraphQLSchema): GraphQLSchema {
  for (const field of fieldsOf(schema, 'Mutation')) field.type = getNullableType(field.type);
  return schema;
}
