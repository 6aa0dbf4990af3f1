import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../graphql/schema.ts';

/** Tools that are older than the specification of September 2025 do not know the directive. */
const ONE_OF = 'directive @oneOf on INPUT_OBJECT';

/** `schema`: what schema.graphql holds, the public contract; a test fails when the file differs. */
export function schemaText(): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n\n${ONE_OF}\n`;
}
