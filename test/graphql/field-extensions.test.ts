import { extendSchema, type GraphQLSchema, parse } from 'graphql';
import { expect, test } from 'vitest';
import { ROOT } from '../../src/auth/caller.ts';
import { requireListCosts } from '../../src/graphql/builder/costs.ts';
import { requireScopes } from '../../src/graphql/builder/require-scopes.ts';
import { schema } from '../../src/graphql/schema.ts';

/** Returns the schema with more fields, which have neither a scope nor a cost. */
const extend = (more: string): GraphQLSchema => extendSchema(schema, parse(more));

test('a field checks the scope that stands at it', () => {
  const extended = extend('extend type Store { more: Int }');
  const field = extended.getQueryType()?.getFields().stores;
  if (field) field.resolve = () => 'stores';
  requireScopes(extended);
  const ask = (scopes: ReadonlySet<never>) =>
    field?.resolve?.({}, {}, { caller: { ...ROOT, scopes } }, {} as never);
  expect(ask(ROOT.scopes as ReadonlySet<never>)).toBe('stores');
  expect(() => ask(new Set())).toThrow('stores:read');
});

test.each(['Query', 'Mutation', 'Subscription'])('a field of %s without a scope is not built', (type) => {
  expect(() => requireScopes(extend(`extend type ${type} { forgotten: Int }`))).toThrow(
    `${type}.forgotten has no scope`,
  );
});

test.each(['[Int!]!', '[Image!]'])('a field of type %s without a cost is not built', (type) => {
  expect(() => requireListCosts(extend(`extend type Image { forgotten: ${type} }`))).toThrow(
    'Image.forgotten is a list without a cost',
  );
});

test('a field with a scope and no resolver is noticed', () => {
  const extended = extend('extend type Store { more: Int }');
  const field = extended.getQueryType()?.getFields().stores;
  delete field?.resolve;
  expect(() => requireScopes(extended)).toThrow('stores needs the scope stores:read');
});
