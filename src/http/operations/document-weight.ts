import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionNode,
  type SelectionSetNode,
  TypeMetaFieldDef,
  valueFromASTUntyped,
} from 'graphql';
import type { FieldCost } from '../../graphql/builder/costs.ts';
import { type IntrospectionLengths, measureIntrospection } from './introspection-lengths.ts';
import {
  type Cost,
  DEFAULT_LENGTH,
  greatest,
  isList,
  lengthOf,
  multiply,
  picturesOf,
  sizeOf,
  sum,
} from './query-cost.ts';

/** Size of a document, before it is validated or executed. */
export interface DocumentWeight {
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
  /** Number of fields, each fragment counted where it is spread. */
  readonly fields: number;
  /** Most values that the response may have. Computing it takes time in proportion to `fields`. */
  readonly cost: Cost;
  /** Number of fields of the mutation type. */
  readonly mutations: number;
  /** Images that the mutations ask providers for. */
  readonly pictures: Cost;
}

/** Steps for each allowed field: fields, and fragments that only lead to fields. */
const STEPS_PER_FIELD = 4;

/** The document has more fields than the limit. Weighing stops there, whatever the document expands to. */
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

/** Fields of the query type that its definition does not list. */
const META_FIELDS: ReadonlyMap<string, GraphQLField<unknown, unknown>> = new Map([
  ['__schema', SchemaMetaFieldDef],
  ['__type', TypeMetaFieldDef],
]);

/**
 * Weighs a document with each fragment where it is spread. Stops after `maxFields`, so that nested fragments
 * cannot make it slow. The document may be invalid: an unknown field counts as one value, and a fragment
 * within itself as nothing, because validation refuses both. Of several operations the largest counts. The
 * lists of introspection have the lengths of the schema; graphql-js limits the depth of introspection
 * (MaxIntrospectionDepthRule).
 */
export function weighDocument(
  schema: GraphQLSchema,
  document: DocumentNode,
  maxFields = Number.POSITIVE_INFINITY,
): DocumentWeight {
  const weighing = new Weighing(schema, document, maxFields);
  let largest: DocumentWeight = NOTHING;
  const costs: Cost[] = [];
  const pictures: Cost[] = [];
  try {
    for (const each of document.definitions) {
      if (each.kind !== 'OperationDefinition') continue;
      const weight = weighing.weighOperation(each);
      costs.push(weight.cost);
      pictures.push(weight.pictures);
      largest = largestOf(largest, weight);
    }
  } catch (error) {
    // A RangeError: the document is nested deeper than the stack. Its exact depth does not matter.
    if (!(error instanceof TooManyFields || error instanceof RangeError)) throw error;
    return { ...largest, fields: Number.POSITIVE_INFINITY, cost: 0 };
  }
  return { ...largest, cost: greatest(costs), pictures: greatest(pictures) };
}

/**
 * Returns the larger of each number. The costs are compared at the end, because they may depend on variables.
 */
function largestOf(a: DocumentWeight, b: DocumentWeight): DocumentWeight {
  return {
    depth: Math.max(a.depth, b.depth),
    aliases: Math.max(a.aliases, b.aliases),
    directives: Math.max(a.directives, b.directives),
    fields: Math.max(a.fields, b.fields),
    mutations: Math.max(a.mutations, b.mutations),
    cost: 0,
    pictures: 0,
  };
}

/** One weighing of a document. */
class Weighing {
  readonly #schema: GraphQLSchema;
  readonly #introspection: IntrospectionLengths;
  readonly #maxFields: number;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  /** Lengths that the defaults of variables give, over all operations. */
  readonly #defaultLengths = new Map<string, number>();
  /** Names of the fragments that enclose the current selection. */
  readonly #enclosing = new Set<string>();
  /** Defaults of the variables of the current operation. */
  #defaults: Record<string, unknown> = {};
  #stepsLeft: number;
  #fieldsLeft: number;

  constructor(schema: GraphQLSchema, { definitions }: DocumentNode, maxFields: number) {
    this.#schema = schema;
    this.#introspection = measureIntrospection(schema);
    this.#maxFields = maxFields;
    this.#stepsLeft = maxFields * STEPS_PER_FIELD;
    this.#fieldsLeft = maxFields;
    for (const each of definitions) {
      if (each.kind === 'FragmentDefinition') this.#fragments.set(each.name.value, each);
      if (each.kind === 'OperationDefinition') this.#readDefaultLengths(each);
    }
  }

  #readDefaultLengths({ variableDefinitions = [] }: OperationDefinitionNode): void {
    for (const { variable, defaultValue } of variableDefinitions) {
      const length = defaultValue && lengthOf(defaultValue);
      const name = variable.name.value;
      if (length != null)
        this.#defaultLengths.set(name, Math.max(length, this.#defaultLengths.get(name) ?? 0));
    }
  }

  /** @throws TooManyFields */
  weighOperation(operation: OperationDefinitionNode): DocumentWeight {
    this.#fieldsLeft = this.#maxFields;
    this.#defaults = {};
    for (const { variable, defaultValue } of operation.variableDefinitions ?? [])
      if (defaultValue) this.#defaults[variable.name.value] = valueFromASTUntyped(defaultValue);
    const root = this.#schema.getRootType(operation.operation) ?? undefined;
    const weight = this.#weighSet(operation.selectionSet, root, null);
    return { ...weight, directives: weight.directives + (operation.directives?.length ?? 0) };
  }

  /** @param page length of the lists of a connection, if the set is one; otherwise null. */
  #weighSet(set: SelectionSetNode, type: GraphQLNamedType | undefined, page: Cost | null): DocumentWeight {
    let depth = 0;
    let aliases = 0;
    let directives = 0;
    let fields = 0;
    let mutations = 0;
    const costs: Cost[] = [];
    const pictures: Cost[] = [];
    for (const each of set.selections) {
      if (--this.#stepsLeft < 0) throw new TooManyFields();
      const part = this.#weighSelection(each, type, page);
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

  #weighSelection(
    node: SelectionNode,
    type: GraphQLNamedType | undefined,
    page: Cost | null,
  ): DocumentWeight {
    if (node.kind === 'Field') return this.#weighField(node, type, page);
    if (node.kind === 'FragmentSpread') return this.#weighFragment(node.name.value, page);
    const { typeCondition, selectionSet } = node;
    return this.#weighSet(
      selectionSet,
      typeCondition ? this.#schema.getType(typeCondition.name.value) : type,
      page,
    );
  }

  #weighFragment(name: string, page: Cost | null): DocumentWeight {
    const fragment = this.#fragments.get(name);
    if (!fragment || this.#enclosing.has(name)) return NOTHING;
    this.#enclosing.add(name);
    const type = this.#schema.getType(fragment.typeCondition.name.value);
    const part = this.#weighSet(fragment.selectionSet, type, page);
    this.#enclosing.delete(name);
    return { ...part, directives: part.directives + (fragment.directives?.length ?? 0) };
  }

  #weighField(node: FieldNode, parent: GraphQLNamedType | undefined, page: Cost | null): DocumentWeight {
    if (--this.#fieldsLeft < 0) throw new TooManyFields();
    const name = node.name.value;
    const field = fieldOf(parent, name);
    // Declared at the field, in src/graphql.
    const fieldCost: FieldCost = field?.extensions.cost ?? {};
    const mutations = parent !== undefined && parent === this.#schema.getMutationType() ? 1 : 0;
    const pictures = fieldCost.pictures ? picturesOf(node, this.#defaults, fieldCost.pictures) : 0;
    const aliases = node.alias ? 1 : 0;
    const cost = 1 + (fieldCost.extra ?? 0);
    if (!node.selectionSet) return { depth: 1, aliases, directives: 0, fields: 1, cost, mutations, pictures };
    const introspects = name.startsWith('__') || (parent?.name.startsWith('__') ?? false);
    const type = field && getNamedType(field.type);
    const list = field !== null && isList(field.type);
    const size = field && !introspects ? sizeOf(node, field, this.#defaultLengths) : null;
    // A connection is one value. Its lists have the length that its own arguments ask for.
    const plainLength = list ? (page ?? size ?? fieldCost.length ?? DEFAULT_LENGTH) : 1;
    const length = introspects ? (this.#introspection[`${parent?.name}.${name}`] ?? 1) : plainLength;
    const inner = this.#weighSet(node.selectionSet, type ?? undefined, list ? null : size);
    return {
      // graphql-js limits the depth of introspection itself: every client asks for nine levels of ofType.
      depth: introspects ? 1 : inner.depth + 1,
      aliases: inner.aliases + aliases,
      directives: inner.directives,
      fields: inner.fields + 1,
      cost: sum([cost, multiply(length, inner.cost)]),
      mutations: inner.mutations + mutations,
      pictures: sum([inner.pictures, pictures]),
    };
  }
}

function fieldOf(parent: GraphQLNamedType | undefined, name: string): GraphQLField<unknown, unknown> | null {
  const meta = META_FIELDS.get(name);
  if (meta) return meta;
  return isObjectType(parent) || isInterfaceType(parent) ? (parent.getFields()[name] ?? null) : null;
}
