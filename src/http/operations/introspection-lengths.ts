import {
  type GraphQLSchema,
  type GraphQLType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isWrappingType,
} from 'graphql';

/**
 * Mean lengths of the lists of introspection, by the coordinates of their fields (`__Type.fields`). For a
 * nullable field: how often it has a value. The mean is over all types, fields and directives.
 */
export type IntrospectionLengths = Readonly<Record<string, number>>;

/**
 * Returns the lengths of the lists of introspection. `__schema { types { fields { name } } }` has as many
 * values as the product of the lengths, because the mean over all types times their number is their total.
 */
export function measureIntrospection(schema: GraphQLSchema): IntrospectionLengths {
  const known = measured.get(schema);
  if (known) return known;
  const lengths = measure(schema);
  measured.set(schema, lengths);
  return lengths;
}

const measured = new WeakMap<GraphQLSchema, IntrospectionLengths>();

function measure(schema: GraphQLSchema): IntrospectionLengths {
  const types = Object.values(schema.getTypeMap());
  const directives = schema.getDirectives();
  const fields = types.flatMap((type) =>
    isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [],
  );
  const inputs = types.filter(isInputObjectType).flatMap((type) => Object.values(type.getFields()));
  const enums = types.filter(isEnumType);
  const abstract = types.filter(isAbstractType);
  const composite = types.filter((type) => isObjectType(type) || isInterfaceType(type));
  const typed: { type: GraphQLType }[] = [...fields, ...inputs, ...fields.flatMap(({ args }) => args)];
  const wrappers = sumOf(typed, ({ type }) => countWrappers(type));
  return {
    '__Schema.types': types.length,
    '__Schema.directives': directives.length,
    '__Type.fields': fields.length / types.length,
    '__Type.inputFields': inputs.length / types.length,
    '__Type.enumValues': sumOf(enums, (type) => type.getValues().length) / types.length,
    '__Type.interfaces': sumOf(composite, (type) => type.getInterfaces().length) / types.length,
    '__Type.possibleTypes': sumOf(abstract, (type) => schema.getPossibleTypes(type).length) / types.length,
    '__Type.ofType': wrappers / (wrappers + typed.length),
    '__Field.args': sumOf(fields, ({ args }) => args.length) / fields.length,
    '__Directive.args': sumOf(directives, ({ args }) => args.length) / directives.length,
  };
}

function sumOf<T>(list: readonly T[], size: (each: T) => number): number {
  return list.reduce((total, each) => total + size(each), 0);
}

function countWrappers(type: GraphQLType): number {
  return isWrappingType(type) ? 1 + countWrappers(type.ofType) : 0;
}
