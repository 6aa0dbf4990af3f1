import { GraphQLObjectType, type GraphQLSchema } from 'graphql';

/** Returns the fields of an object type, to be changed in place. @throws Error if the schema has no such type. */
export function fieldsOf(schema: GraphQLSchema, name: string) {
  const type = schema.getType(name);
  if (!(type instanceof GraphQLObjectType)) throw new Error(`There is no type ${name}.`);
  return Object.values(type.getFields());
}
