import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../graphql/schema.ts';

/** Declared for tools that are older than the GraphQL specification of September 2025. */
const ONE_OF = 'directive @oneOf on INPUT_OBJECT';

/** Returns the text of schema.graphql, the public contract. A test compares it with the file. */
export function schemaText(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n\n${ONE_OF}\n`;
}
