import {
  type GraphQLOutputType,
  type GraphQLSchema,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/**
 * Cost of a field, in values that it may return; limited by MAX_QUERY_COST (docs/limits.md). Each field
 * declares its own, in `extensions`.
 */
export interface FieldCost {
  /** Values that the field counts as beside itself. Default: 0. */
  readonly extra?: number;
  /**
   * Assumed length of a list of objects, unless `first`, `last`, `ids` or the page of its connection says it.
   */
  readonly length?: number;
  /** Counts the images that a mutation asks a provider for; limited by MAX_QUERY_GENERATIONS. */
  readonly pictures?: (input: Readonly<Record<string, unknown>>) => number;
}

declare module 'graphql/type/definition.js' {
  // biome-ignore lint/suspicious/noExplicitAny: the parameters must be those of graphql-js.
  interface GraphQLFieldExtensions<_TSource, _TContext, _TArgs = any> {
    cost?: FieldCost;
  }
}

/** A list of objects whose length no argument says. */
export const LIST_COST: FieldCost = { length: 10 };
/** A list of scalars or enum values, which counts as one value. */
export const SCALAR_LIST_COST: FieldCost = { extra: 0 };
/** Any mutation; its payload is counted besides. */
export const MUTATION_COST: FieldCost = { extra: 1000 };

/** @throws Error for a list field without a cost. */
export function requireListCosts(schema: GraphQLSchema): GraphQLSchema {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || !(isObjectType(type) || isInterfaceType(type))) continue;
    for (const field of Object.values(type.getFields()))
      if (isList(field.type) && !field.extensions.cost)
        throw new Error(`${type.name}.${field.name} is a list without a cost. Give it extensions.cost.`);
  }
  return schema;
}

const isList = (type: GraphQLOutputType) => isListType(isNonNullType(type) ? type.ofType : type);
