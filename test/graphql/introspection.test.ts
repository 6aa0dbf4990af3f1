import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
  parse,
  printSchema,
  validate,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

/**
 * https://spec.graphql.org/September2025/#DirectiveLocation: clients of other languages reject a schema with
 * any other.
 */
const LOCATIONS = [
  'QUERY',
  'MUTATION',
  'SUBSCRIPTION',
  'FIELD',
  'FRAGMENT_DEFINITION',
  'FRAGMENT_SPREAD',
  'INLINE_FRAGMENT',
  'VARIABLE_DEFINITION',
  'SCHEMA',
  'SCALAR',
  'OBJECT',
  'FIELD_DEFINITION',
  'ARGUMENT_DEFINITION',
  'INTERFACE',
  'UNION',
  'ENUM',
  'ENUM_VALUE',
  'INPUT_OBJECT',
  'INPUT_FIELD_DEFINITION',
];

describe('introspection', () => {
  let app: TestApp;
  let served: IntrospectionQuery;
  beforeAll(async () => {
    app = await openTestApp();
    served = await introspect(
      getIntrospectionQuery({
        schemaDescription: true,
        specifiedByUrl: true,
        directiveIsRepeatable: true,
        oneOf: true,
      }),
    );
  });
  afterAll(() => app.close());

  const introspect = async (query: string) => {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return ((await response.json()) as { data: IntrospectionQuery }).data;
  };
  const text = () => readFile(fileURLToPath(new URL('../../schema.graphql', import.meta.url)), 'utf8');

  test('has no directive at a location that the specification does not know', () => {
    const { directives } = served.__schema;
    expect(directives.map(({ name }) => name).sort()).toEqual([
      'deprecated',
      'include',
      'oneOf',
      'skip',
      'specifiedBy',
    ]);
    const others = directives.flatMap(({ name, locations }) =>
      locations.filter((location) => !LOCATIONS.includes(location)).map((location) => `@${name} ${location}`),
    );
    expect(others).toEqual([]);
  });

  test('is the schema of schema.graphql', async () => {
    expect(printSchema(buildClientSchema(served))).toBe(printSchema(buildSchema(await text())));
  });

  test('is asked for also by clients that know no newer fields', async () => {
    const plain = await introspect(getIntrospectionQuery({ descriptions: false }));
    expect(Object.keys(plain.__schema)).not.toContain('description');
    const document = parse('{ images(first: 1) { nodes { id } } }');
    expect(validate(buildClientSchema(plain), document)).toEqual([]);
  });

  test('says that every payload of a mutation may be null, and nothing of a query that was not', () => {
    const { types } = served.__schema;
    const fields = (name: string) => {
      const type = types.find((each) => each.name === name);
      return type?.kind === 'OBJECT' ? type.fields : [];
    };
    expect(fields('Mutation').map(({ type }) => type.kind)).toEqual(fields('Mutation').map(() => 'OBJECT'));
    expect(fields('Query').filter(({ type }) => type.kind !== 'NON_NULL')).toMatchObject([
      { name: 'image' },
      { name: 'node' },
      { name: 'webhook' },
    ]);
  });

  test('has the types that docs/schema.md says the identity of, each with its key', async () => {
    const docs = await readFile(fileURLToPath(new URL('../../docs/schema.md', import.meta.url)), 'utf8');
    const rows = [...docs.matchAll(/^\| (`[A-Z][^|]*) \| (`\w+`|none) \|/gm)];
    const keys = new Map(
      rows.flatMap(([, types = '', key = '']) =>
        types.split(', ').map((type) => [type.replaceAll('`', ''), key.replaceAll('`', '')] as const),
      ),
    );
    const objects = served.__schema.types.filter((type) => type.kind === 'OBJECT');
    const told = objects.filter(
      ({ name, interfaces }) =>
        !/^__|^(Query|Mutation|Subscription)$|Payload$/.test(name) &&
        !interfaces.some((each) => each.name === 'UserError'),
    );
    expect([...keys.keys()].sort()).toEqual(told.map(({ name }) => name).sort());
    for (const { name, fields, interfaces } of told) {
      const key = keys.get(name);
      const field = fields.find((each) => each.name === (key === 'none' ? 'id' : key));
      // A type with an `id` has it as its key, so a type without a key has no `id`.
      if (key === 'none') expect(field, name).toBeUndefined();
      else expect(field?.type.kind, name).toBe('NON_NULL');
      if (interfaces.some((each) => each.name === 'Node')) expect(key, name).toBe('id');
    }
  });

  test('says that a picture to work from is exactly one thing', () => {
    const type = served.__schema.types.find(({ name }) => name === 'PictureSourceInput');
    expect(type).toMatchObject({ kind: 'INPUT_OBJECT', isOneOf: true });
  });

  test('says what the schema is', async () => {
    expect(served.__schema.description).toContain('keeps the images of AI products permanent');
    expect(buildSchema(await text()).description).toBe(served.__schema.description);
  });
});
