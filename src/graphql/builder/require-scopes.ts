import { GraphQLObjectType, type GraphQLSchema } from 'graphql';
import { NEEDED_SCOPES, requireScope } from '../../auth/authorization.ts';
import type { Scope } from '../../auth/caller.ts';
import type { GraphqlContext } from '../context.ts';

const ROOTS = ['Query', 'Mutation', 'Subscription'] as const;

/**
 * Has every field ask for the scope that it needs, before its resolver is called.
 * @throws Error for a field of Query, Mutation or Subscription that the table does not have, and for an entry without a field: so nothing is
 *   open because it was forgotten.
 */
export function guard(schema: GraphQLSchema): GraphQLSchema {
  for (const name of [...ROOTS, 'Image'] as const) {
    const type = schema.getType(name);
    if (!(type instanceof GraphQLObjectType)) throw new Error(`There is no type ${name}.`);
    const scopes: Readonly<Record<string, Scope | null>> = NEEDED_SCOPES[name];
    const fields = type.getFields();
    for (const field of Object.keys(scopes))
      if (!fields[field]) throw new Error(`${name}.${field} needs a scope, and is not in the schema.`);
    for (const [fieldName, field] of Object.entries(fields)) {
      const scope = scopes[fieldName];
      if (scope === undefined && name !== 'Image')
        throw new Error(`auth/authorization.ts does not say which scope ${name}.${fieldName} needs.`);
      if (scope == null) continue;
      // A subscription is asked for once; what it brings is resolved by `resolve`.
      const asks = name === 'Subscription' ? 'subscribe' : 'resolve';
      const inner = field[asks];
      if (!inner) throw new Error(`${name}.${fieldName} has no resolver.`);
      field[asks] = (source, args, context: GraphqlContext, info) => {
        requireScope(context.caller, scope);
        return inner(source, args, context, info);
      };
    }
  }
  return schema;
}
