import { type GraphQLField, type GraphQLSchema, isObjectType } from 'graphql';
import { requireScope } from '../../auth/authorization.ts';
import type { Scope } from '../../auth/caller.ts';
import type { GraphqlContext } from '../context.ts';

declare module 'graphql/type/definition.js' {
  // biome-ignore lint/suspicious/noExplicitAny: the parameters must be those of graphql-js.
  interface GraphQLFieldExtensions<_TSource, _TContext, _TArgs = any> {
    /**
     * Scope that the caller must have; null: any caller. Fields of Query, Mutation and Subscription must say
     * it.
     */
    scope?: Scope | null;
  }
}

/**
 * Makes every field check the scope in its `extensions` before its resolver runs.
 * @throws Error for a field of Query, Mutation or Subscription without a scope, so that no field is open by
 * mistake.
 */
export function requireScopes(schema: GraphQLSchema): GraphQLSchema {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      const { scope } = field.extensions;
      if (scope === undefined && roots.includes(type))
        throw new Error(
          `${type.name}.${field.name} has no scope. Give it extensions.scope; null opens it to every caller.`,
        );
      // A subscription is authorized once, when it begins; `resolve` runs for each event.
      if (scope) protect(field, type === schema.getSubscriptionType() ? 'subscribe' : 'resolve', scope);
    }
  }
  return schema;
}

function protect(field: GraphQLField<unknown, GraphqlContext>, step: 'resolve' | 'subscribe', scope: Scope) {
  const inner = field[step];
  if (!inner) throw new Error(`${field.name} needs the scope ${scope} and has no resolver.`);
  field[step] = (source, args, context, info) => {
    requireScope(context.caller, scope);
    return inner(source, args, context, info);
  };
}
