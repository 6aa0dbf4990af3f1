import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import type { FieldCost } from '../../graphql/builder/costs.ts';
import { measureIntrospection } from './introspection-lengths.ts';

/** What a document asks for, before anything of it is validated or run. */
export interface DocumentWeight {
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
  /** How many fields there are once every fragment stands where it is spread. */
  readonly fields: number;
  /** How many values may be answered; by the variables, where they say how long a list is. It takes as long as there are `fields`. */
  readonly cost: Cost;
  /** How many fields of the mutation type are run. */
  readonly mutations: number;
  /** How many pictures `generateImage` is asked for; by the variables, where they say it. */
  readonly pictures: Cost;
}

export type Variables = Readonly<Record<string, unknown>>;
export type Cost = number | ((variables: Variables) => number);

/** Assumed length of a page whose size no argument says, and of a list whose field has no cost. */
const DEFAULT_PAGE = 20;
const DEFAULT_LENGTH = 10;
/** Longest page or list that can be asked for. */
const MAX_PAGE = 100;

/** Arguments that say how long a page or list is. */
const SIZES = new Set(['first', 'last', 'ids']);

/** There are more fields than are counted: weighing stops there, whatever a document expands to. */
class TooManyFields extends Error {}

const NOTHING: DocumentWeight = {
  depth: 0,
  aliases: 0,
  directives: 0,
  fields: 0,
  cost: 0,
  mutations: 0,
  pictures: 0,
};

/**
 * Weighs a document as it stands when every fragment is where it is spread, and no longer than `maxFields` allow: so neither fragments
 * within fragments nor what multiplies them make the weighing long. The document need not be valid: what is not known counts as a value,
 * and a fragment within itself as nothing, for validation will refuse both. Of several operations each limit is held against the
 * largest. The lists of introspection are as long as the schema makes them; how deep it goes graphql-js bounds (MaxIntrospectionDepthRule).
 */
export function weighDocument(
  schema: GraphQLSchema,
  document: DocumentNode,
  maxFields = Number.POSITIVE_INFINITY,
): DocumentWeight {
  const fragments = new Map<string, FragmentDefinitionNode>();
  const defaults = new Map<string, number>();
  /** Defaults of the operation that is weighed. */
  let values: Record<string, unknown> = {};
  const introspection = measureIntrospection(schema);
  for (const each of document.definitions) {
    if (each.kind === 'FragmentDefinition') fragments.set(each.name.value, each);
    if (each.kind !== 'OperationDefinition') continue;
    for (const { variable, defaultValue } of each.variableDefinitions ?? []) {
      const length = defaultValue && lengthOf(defaultValue);
      const { value } = variable.name;
      if (length != null) defaults.set(value, Math.max(length, defaults.get(value) ?? 0));
    }
  }
  const within = new Set<string>();
  // A field is a step, and so is what only leads to fields.
  let stepsLeft = maxFields * 4;
  let fieldsLeft = maxFields;

  function weighFragment(name: string, page: Cost | null): DocumentWeight {
    const fragment = fragments.get(name);
    if (!fragment || within.has(name)) return NOTHING;
    within.add(name);
    const part = weighSet(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value), page);
    within.delete(name);
    return { ...part, directives: part.directives + (fragment.directives?.length ?? 0) };
  }

  /** @param page how long the lists of a connection are, where this is one; null elsewhere. */
  function weighSet(
    set: SelectionSetNode,
    type: GraphQLNamedType | undefined,
    page: Cost | null,
  ): DocumentWeight {
    let depth = 0;
    let aliases = 0;
    let directives = 0;
    let fields = 0;
    let mutations = 0;
    const costs: Cost[] = [];
    const pictures: Cost[] = [];
    for (const each of set.selections) {
      if (--stepsLeft < 0) throw new TooManyFields();
      const part =
        each.kind === 'Field'
          ? weighField(each, type, page)
          : each.kind === 'FragmentSpread'
            ? weighFragment(each.name.value, page)
            : weighSet(
                each.selectionSet,
                each.typeCondition ? schema.getType(each.typeCondition.name.value) : type,
                page,
              );
      depth = Math.max(depth, part.depth);
      aliases += part.aliases;
      directives += part.directives + (each.directives?.length ?? 0);
      fields += part.fields;
      mutations += part.mutations;
      costs.push(part.cost);
      pictures.push(part.pictures);
    }
    return { depth, aliases, directives, fields, mutations, cost: sum(costs), pictures: sum(pictures) };
  }

  function weighField(
    node: FieldNode,
    parent: GraphQLNamedType | undefined,
    page: Cost | null,
  ): DocumentWeight {
    if (--fieldsLeft < 0) throw new TooManyFields();
    const name = node.name.value;
    const introspects = name.startsWith('__') || (parent?.name.startsWith('__') ?? false);
    const field =
      META_FIELDS.get(name) ??
      (isObjectType(parent) || isInterfaceType(parent) ? (parent.getFields()[name] ?? null) : null);
    const isMutation = parent !== undefined && parent === schema.getMutationType();
    // Declared at the field, in src/graphql.
    const fieldCost: FieldCost = field?.extensions.cost ?? {};
    const done = {
      mutations: isMutation ? 1 : 0,
      pictures: fieldCost.pictures ? picturesOf(node, values, fieldCost.pictures) : 0,
    };
    const own = {
      alias: node.alias ? 1 : 0,
      cost: 1 + (fieldCost.extra ?? 0),
    };
    if (!node.selectionSet)
      return { depth: 1, aliases: own.alias, directives: 0, fields: 1, cost: own.cost, ...done };
    const type = field && getNamedType(field.type);
    const list = field !== null && isList(field.type);
    const size = field && !introspects ? sizeOf(node, field, defaults) : null;
    // A connection is one value, and its lists are as long as it was asked to be.
    const plain = list ? (page ?? size ?? fieldCost.length ?? DEFAULT_LENGTH) : 1;
    const length = introspects ? (introspection[`${parent?.name}.${name}`] ?? 1) : plain;
    const inner = weighSet(node.selectionSet, type ?? undefined, list ? null : size);
    return {
      // How deep introspection may go is graphql-js's own rule; ofType alone is asked for nine times by every client.
      depth: introspects ? 1 : inner.depth + 1,
      aliases: inner.aliases + own.alias,
      directives: inner.directives,
      fields: inner.fields + 1,
      cost: sum([own.cost, multiply(length, inner.cost)]),
      mutations: inner.mutations + done.mutations,
      pictures: sum([inner.pictures, done.pictures]),
    };
  }

  let largest: DocumentWeight = NOTHING;
  const costs: Cost[] = [];
  const pictures: Cost[] = [];
  try {
    for (const each of document.definitions) {
      if (each.kind !== 'OperationDefinition') continue;
      const root = schema.getRootType(each.operation) ?? undefined;
      fieldsLeft = maxFields;
      values = {};
      for (const { variable, defaultValue } of each.variableDefinitions ?? [])
        if (defaultValue) values[variable.name.value] = valueFromASTUntyped(defaultValue);
      const part = weighSet(each.selectionSet, root, null);
      costs.push(part.cost);
      pictures.push(part.pictures);
      largest = {
        depth: Math.max(largest.depth, part.depth),
        aliases: Math.max(largest.aliases, part.aliases),
        directives: Math.max(largest.directives, part.directives + (each.directives?.length ?? 0)),
        fields: Math.max(largest.fields, part.fields),
        mutations: Math.max(largest.mutations, part.mutations),
        cost: 0,
        pictures: 0,
      };
    }
  } catch (error) {
    // Of a document that is nested deeper than can be followed nobody needs to know how deep.
    if (!(error instanceof TooManyFields || error instanceof RangeError)) throw error;
    return { ...largest, fields: Number.POSITIVE_INFINITY, cost: 0 };
  }
  return { ...largest, cost: greatest(costs), pictures: greatest(pictures) };
}

/** Fields of the query type that it does not list itself. */
const META_FIELDS: ReadonlyMap<string, GraphQLField<unknown, unknown>> = new Map([
  ['__schema', SchemaMetaFieldDef],
  ['__type', TypeMetaFieldDef],
]);

/** Returns how many pictures the `input` of a field asks a provider for. */
function picturesOf(
  node: FieldNode,
  defaults: Variables,
  countPictures: NonNullable<FieldCost['pictures']>,
): Cost {
  const argument = node.arguments?.find(({ name }) => name.value === 'input')?.value;
  if (argument === undefined) return 1;
  const count = (variables: Variables): number => {
    const given = valueFromASTUntyped(argument, { ...defaults, ...variables });
    return countPictures((typeof given === 'object' && given !== null ? given : {}) as Variables);
  };
  return hasVariables(argument) ? count : count({});
}

function hasVariables(value: ValueNode): boolean {
  if (value.kind === 'ListValue') return value.values.some(hasVariables);
  if (value.kind === 'ObjectValue') return value.fields.some((field) => hasVariables(field.value));
  return value.kind === 'Variable';
}

/** How long a list or a page was asked to be; null where a field takes no size. */
function sizeOf(
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  defaults: ReadonlyMap<string, number>,
): Cost | null {
  const sized = field.args.filter(({ name }) => SIZES.has(name));
  if (sized.length === 0) return null;
  const given = sized.flatMap(({ name, defaultValue }) => {
    const argument = node.arguments?.find((each) => each.name.value === name);
    if (!argument && typeof defaultValue === 'number') return [defaultValue];
    return argument ? [readLength(argument.value, defaults)] : [];
  });
  return given.length === 0 ? DEFAULT_PAGE : greatest(given);
}

function lengthOf(value: ValueNode): number | null {
  if (value.kind === 'IntValue') return clamp(Number(value.value));
  return value.kind === 'ListValue' ? clamp(value.values.length) : null;
}

/** What is longer than a page can be is refused by its resolver before it costs anything. */
function readLength(value: ValueNode, defaults: ReadonlyMap<string, number>): Cost {
  if (value.kind !== 'Variable') return lengthOf(value) ?? DEFAULT_PAGE;
  const name = value.name.value;
  return (variables) => {
    const given = variables[name];
    const length = Array.isArray(given) ? given.length : given;
    return typeof length === 'number' ? clamp(length) : (defaults.get(name) ?? DEFAULT_PAGE);
  };
}

/** What a list of none leads to is worked on all the same before it is known that there is none. */
const clamp = (length: number) => Math.min(Math.max(length, 1), MAX_PAGE);

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

/** What no variable has to do with is worked out here and not with every request. */
function combine(costs: readonly Cost[], work: (values: readonly number[]) => number): Cost {
  if (costs.every((cost) => typeof cost === 'number')) return work(costs as readonly number[]);
  return (variables) => work(costs.map((cost) => costOf(cost, variables)));
}

const sum = (costs: readonly Cost[]) => combine(costs, (values) => values.reduce((a, b) => a + b, 0));
const greatest = (costs: readonly Cost[]) => combine(costs, (values) => Math.max(0, ...values));
const multiply = (a: Cost, b: Cost) => combine([a, b], ([x = 0, y = 0]) => x * y);

export const costOf = (cost: Cost, variables: Variables) =>
  typeof cost === 'number' ? cost : cost(variables);
