/** Costs that may depend on variables: the lengths of lists, and the images that a mutation generates. */
import {
  type FieldNode,
  type GraphQLField,
  type GraphQLOutputType,
  isListType,
  isNonNullType,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import type { FieldCost } from '../../graphql/builder/costs.ts';

export type Variables = Readonly<Record<string, unknown>>;

/** A number, or a function of the variables that decide it. */
export type Cost = number | ((variables: Variables) => number);

/** Length of a list without a size argument and without a cost. */
export const DEFAULT_LENGTH = 10;
/** Length of a page whose size is not given, and the longest page. */
const DEFAULT_PAGE = 20;
const MAX_PAGE = 100;

/** Arguments that give the length of a list. */
const SIZE_ARGUMENTS = new Set(['first', 'last', 'ids']);

/** Returns how many pictures the `input` of a field asks providers for, by the field's own count. */
export function picturesOf(
  node: FieldNode,
  defaults: Variables,
  countPictures: NonNullable<FieldCost['pictures']>,
): Cost {
  const argument = node.arguments?.find(({ name }) => name.value === 'input')?.value;
  if (argument === undefined) return 1;
  const count = (variables: Variables): number => {
    const value = valueFromASTUntyped(argument, { ...defaults, ...variables });
    return countPictures((typeof value === 'object' && value !== null ? value : {}) as Variables);
  };
  return hasVariables(argument) ? count : count({});
}

function hasVariables(value: ValueNode): boolean {
  if (value.kind === 'ListValue') return value.values.some(hasVariables);
  if (value.kind === 'ObjectValue') return value.fields.some((field) => hasVariables(field.value));
  return value.kind === 'Variable';
}

/** Returns the length that the arguments of a list or page ask for; null: the field has no size argument. */
export function sizeOf(
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  defaults: ReadonlyMap<string, number>,
): Cost | null {
  const sized = field.args.filter(({ name }) => SIZE_ARGUMENTS.has(name));
  if (sized.length === 0) return null;
  const lengths = sized.flatMap(({ name, defaultValue }) => {
    const argument = node.arguments?.find((each) => each.name.value === name);
    if (!argument && typeof defaultValue === 'number') return [defaultValue];
    return argument ? [readLength(argument.value, defaults)] : [];
  });
  return lengths.length === 0 ? DEFAULT_PAGE : greatest(lengths);
}

/** Returns the length that a literal asks for; null: it is neither a number nor a list. */
export function lengthOf(value: ValueNode): number | null {
  if (value.kind === 'IntValue') return clamp(Number(value.value));
  return value.kind === 'ListValue' ? clamp(value.values.length) : null;
}

function readLength(value: ValueNode, defaults: ReadonlyMap<string, number>): Cost {
  if (value.kind !== 'Variable') return lengthOf(value) ?? DEFAULT_PAGE;
  const name = value.name.value;
  return (variables) => {
    const size = variables[name];
    const length = Array.isArray(size) ? size.length : size;
    return typeof length === 'number' ? clamp(length) : (defaults.get(name) ?? DEFAULT_PAGE);
  };
}

/**
 * Limits a length to 1 to 100. An empty list costs as much, because the server finds out that it is empty. A
 * longer page is refused by its resolver before it costs anything.
 */
const clamp = (length: number) => Math.min(Math.max(length, 1), MAX_PAGE);

export function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

/** Combines costs. The result is a number at once when no cost depends on variables. */
function combine(costs: readonly Cost[], work: (values: readonly number[]) => number): Cost {
  if (costs.every((cost) => typeof cost === 'number')) return work(costs as readonly number[]);
  return (variables) => work(costs.map((cost) => costOf(cost, variables)));
}

export const sum = (costs: readonly Cost[]) => combine(costs, (values) => values.reduce((a, b) => a + b, 0));
export const greatest = (costs: readonly Cost[]) => combine(costs, (values) => Math.max(0, ...values));
export const multiply = (a: Cost, b: Cost) => combine([a, b], ([x = 0, y = 0]) => x * y);

/** Returns the cost for these variables. */
export const costOf = (cost: Cost, variables: Variables) =>
  typeof cost === 'number' ? cost : cost(variables);
