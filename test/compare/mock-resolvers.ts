/**
 * Resolvers without data. A field returns a hash of its parent's value, its name and its arguments. So two
 * ways to run a document give the same response only when every resolver got the same arguments. Some
 * resolvers throw, reject, return null for a non-null field, are late, or return a value of a wrong type.
 */
import { createHash } from 'node:crypto';
import {
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { InputError } from '../../src/errors.ts';
import { type Chance, makeChance } from './chance.ts';

interface Mocked {
  readonly seed: number;
  readonly __typename: string;
}

/**
 * Sets that the resolvers have returned for lists. graphql-js takes any iterable for a list; the fast path
 * takes arrays only, and leaves the query to the interpreter.
 */
export const returned = { sets: 0 };

/** Replaces every resolver of a schema. @param faults share of fields that misbehave. */
export function mockResolvers(schema: GraphQLSchema, faults: number): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type)) continue;
    if (isAbstractType(type)) type.resolveType = (value: Mocked) => value.__typename;
    if (!isObjectType(type)) continue;
    if (type.isTypeOf) type.isTypeOf = (value: Mocked) => value.__typename === type.name;
    for (const field of Object.values(type.getFields()))
      field.resolve = mockOf(schema, type.name, field, faults);
  }
}

function mockOf(
  schema: GraphQLSchema,
  parent: string,
  field: GraphQLField<unknown, unknown>,
  faults: number,
): NonNullable<GraphQLField<unknown, unknown>['resolve']> {
  return (source, args) => {
    const about = `${(source as Mocked | undefined)?.seed ?? ''} ${parent}.${field.name} ${show(args)}`;
    const seed = createHash('sha256').update(about).digest().readUInt32BE(0);
    const chance = makeChance(seed);
    const make = () => makeValue(schema, field.type, chance, faults);
    if (chance.of(faults)) {
      const error = chance.oneOf([
        () => new InputError('INVALID_INPUT', `refused ${seed}`, { path: ['input'] }),
        () => new Error(`unexpected ${seed}`),
      ])();
      const way = chance.below(3);
      if (way === 0) throw error;
      return way === 1 ? error : late(chance, () => Promise.reject(error));
    }
    return chance.of(0.2) ? late(chance, make) : make();
  };
}

/** Resolves after a few turns of the microtask queue. */
async function late<Value>(chance: Chance, make: () => Value): Promise<Awaited<Value>> {
  for (let turns = chance.below(4); turns > 0; turns--) await null;
  return await make();
}

function makeValue(schema: GraphQLSchema, type: GraphQLOutputType, chance: Chance, faults: number): unknown {
  if (isNonNullType(type))
    return chance.of(faults / 2) ? null : makeValue(schema, type.ofType, chance, faults);
  if (chance.of(0.08)) return chance.oneOf([null, undefined]);
  if (isListType(type)) {
    if (chance.of(faults)) {
      const value = chance.oneOf<unknown>(['text', 7, new Set(['x']), {}]);
      if (value instanceof Set) returned.sets++;
      return value;
    }
    return chance.many(0, 3, () => {
      // Separate choices for each item: late items are made in any order.
      const its = makeChance(chance.below(2 ** 31));
      const make = () => makeValue(schema, type.ofType, its, faults);
      if (its.of(faults / 2)) return new Error('unexpected item');
      return its.of(0.1) ? late(its, make) : make();
    });
  }
  const seed = chance.below(2 ** 31);
  if (isAbstractType(type)) {
    const names = schema.getPossibleTypes(type).map(({ name }) => name);
    if (chance.of(faults)) names.push('Query', 'NoSuchType');
    return { seed, __typename: chance.oneOf(names) } satisfies Mocked;
  }
  if (isObjectType(type))
    return { seed, __typename: chance.of(faults / 4) ? 'Other' : type.name } satisfies Mocked;
  if (chance.of(faults))
    return chance.oneOf<unknown>([{}, Number.NaN, Symbol.iterator, [], 'text', 1.5, 2 ** 60]);
  if (isEnumType(type)) return chance.oneOf(type.getValues()).value;
  switch (type.name) {
    case 'Int':
      return seed;
    case 'Float':
      return seed / 8;
    case 'BigInt':
      return chance.of(0.5) ? BigInt(seed) : seed;
    case 'Boolean':
      return chance.of(0.5);
    case 'DateTime':
      return new Date(seed * 500);
    case 'JSON':
      return chance.oneOf<unknown>([{ seed }, [seed, null], seed, 'text', { a: { b: seed } }]);
    default:
      return `${seed}`;
  }
}

/** Returns arguments as text, in which a missing one differs from null. */
function show(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (typeof (value as { then?: unknown }).then === 'function') {
    // A file, which is not read here.
    (value as Promise<unknown>).then(undefined, () => {});
    return 'file';
  }
  if (Array.isArray(value)) return `[${value.map(show).join()}]`;
  return `{${Object.entries(value)
    .map(([name, each]) => `${name}:${show(each)}`)
    .join()}}`;
}
