import {
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';

interface Described {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly args?: readonly Described[];
}

function membersOf(type: GraphQLNamedType): readonly Described[] {
  if (isEnumType(type)) return type.getValues();
  if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type))
    return Object.values<Described>(type.getFields());
  return [];
}

/** Everything that a client can name, with its description. */
function* thingsOf(schema: GraphQLSchema): Generator<[string, Described]> {
  for (const type of Object.values(schema.getTypeMap())) {
    // Skips the types of GraphQL itself: its specification describes them.
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    yield [type.name, type];
    for (const member of membersOf(type)) {
      const name = `${type.name}.${member.name}`;
      yield [name, member];
      for (const arg of member.args ?? []) yield [`${name}(${arg.name}:)`, arg];
    }
  }
  for (const directive of schema.getDirectives()) yield [`@${directive.name}`, directive];
}

test('everything in the schema says what it is', () => {
  const things = [...thingsOf(schema)];
  expect(things.map(([name]) => name)).toEqual(
    expect.arrayContaining(['Query', 'Query.images(first:)', 'ImageFilter.tags', 'ErrorCode.CONFLICT']),
  );
  const bare = things.filter(([, { description }]) => !description?.trim()).map(([name]) => name);
  expect(bare).toEqual([]);
});
