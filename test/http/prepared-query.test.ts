import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GraphQLObjectType, GraphQLScalarType, GraphQLSchema, parse } from 'graphql';
import { expect, test } from 'vitest';
import { prepareQuery } from '../../src/http/operations/prepared-query.ts';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

test('a prepared query keeps nothing of the variables that it was run with', async () => {
  const refs: WeakRef<object>[] = [];
  const Large = new GraphQLScalarType({
    name: 'Large',
    parseValue: (value) => {
      const large = { value };
      refs.push(new WeakRef(large));
      return large;
    },
  });
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({
      name: 'Query',
      fields: () => ({ a: { type: Large, args: { of: { type: Large } }, resolve: () => 1 } }),
    }),
    types: [Large],
  });
  const document = parse('query ($of: Large, $if: Boolean!) { a(of: $of) b: a(of: $of) @include(if: $if) }');
  const query = prepareQuery(schema, document, null);
  for (const isIncluded of [true, false, true]) {
    const result = await query?.run({}, { of: 'x'.repeat(100), if: isIncluded });
    expect(result?.data).toEqual(isIncluded ? { a: 1, b: 1 } : { a: 1 });
  }
  expect(refs.length).toBeGreaterThan(2);
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  // The query is in use to the end.
  expect(query?.document).toBe(document);
});
