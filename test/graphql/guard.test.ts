import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buildSchema, extendSchema, GraphQLObjectType, parse } from 'graphql';
import { expect, test } from 'vitest';
import { ROOT } from '../../src/auth/caller.ts';
import { guard } from '../../src/graphql/builder/require-scopes.ts';

const TEXT = await readFile(fileURLToPath(new URL('../../schema.graphql', import.meta.url)), 'utf8');

/** The schema with more fields, each answering its own name. */
function makeSchema(more = '') {
  const schema = buildSchema(TEXT);
  const whole = more ? extendSchema(schema, parse(more)) : schema;
  for (const type of Object.values(whole.getTypeMap())) {
    if (!(type instanceof GraphQLObjectType)) continue;
    for (const field of Object.values(type.getFields())) {
      field.resolve = () => field.name;
      field.subscribe = () => field.name;
    }
  }
  return whole;
}

test('the schema as it is gets built', () => {
  const schema = guard(makeSchema());
  const field = schema.getQueryType()?.getFields().stores;
  const ask = (scopes: ReadonlySet<never>) =>
    field?.resolve?.({}, {}, { caller: { ...ROOT, scopes } }, {} as never);
  expect(ask(ROOT.scopes as ReadonlySet<never>)).toBe('stores');
  expect(() => ask(new Set())).toThrow('stores:read');
});

test.each(['Query', 'Mutation', 'Subscription'])(
  'a field of %s that nobody has thought of is not',
  (type) => {
    expect(() => guard(makeSchema(`extend type ${type} { forgotten: Int }`))).toThrow(
      `which scope ${type}.forgotten needs`,
    );
  },
);

test('a scope for a field that is not there is noticed', () => {
  const schema = makeSchema();
  delete schema.getQueryType()?.getFields().stores;
  expect(() => guard(schema)).toThrow('Query.stores');
});
