/** Makes the plan of a prepared query, and executes it. */
import {
  defaultFieldResolver,
  defaultTypeResolver,
  type FieldNode,
  type GraphQLAbstractType,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLString,
  getArgumentValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  TypeNameMetaFieldDef,
} from 'graphql';
import { collectSubfields } from 'graphql/execution/collectFields.js';
import { isPromise } from './operation-timeout.ts';
import { type Complete, type ObjectPlan, type Planner, type QueryRun, ResolveInfo } from './query-run.ts';

type Result = Record<string, unknown>;
type Selection = ReadonlyMap<string, readonly FieldNode[]>;

export function planFields(
  planner: Planner,
  parentType: GraphQLObjectType,
  selection: Selection,
): ObjectPlan {
  const definitions = parentType.getFields();
  return Array.from(selection, ([key, nodes]) => {
    const node = nodes[0] as FieldNode;
    const name = node.name.value;
    const field = name === TypeNameMetaFieldDef.name ? TypeNameMetaFieldDef : definitions[name];
    if (!field) throw new Error(`${parentType.name} has no field ${name}.`);
    const hasArguments =
      (node.arguments?.length ?? 0) > 0 ||
      field.args.some(({ type, defaultValue }) => defaultValue !== undefined || isNonNullType(type));
    const complete = completerOf(planner, field.type, nodes);
    const { resolve = defaultFieldResolver } = field;
    return { planner, key, parentType, field, node, nodes, resolve, hasArguments, complete };
  });
}

export function executeFields(plan: ObjectPlan, source: unknown, run: QueryRun): Result {
  const result: Result = {};
  for (const field of plan) {
    const { key, resolve, complete } = field;
    const args = field.hasArguments ? getArgumentValues(field.field, field.node, run.variables) : {};
    const info = new ResolveInfo(field, run);
    const value = resolve(source, args, run.context, info);
    if (isPromise(value)) {
      // Keeps the order of the fields in the result.
      result[key] = null;
      run.wait(value, (settled) => {
        result[key] = complete(settled, run, info);
      });
    } else result[key] = complete(value, run, info);
  }
  return result;
}

function completerOf(planner: Planner, type: GraphQLOutputType, nodes: readonly FieldNode[]): Complete {
  const isRequired = isNonNullType(type);
  const inner = isRequired ? type.ofType : type;
  const complete = isLeafType(inner) ? completerOfLeaf(inner) : completerOfValues(planner, inner, nodes);
  return (value, run, info) => {
    if (value == null) {
      if (isRequired) throw new Error('null for a non-null type');
      return null;
    }
    if (typeof value === 'object' && value instanceof Error) throw value;
    return complete(value, run, info);
  };
}

function completerOfLeaf(type: GraphQLLeafType): Complete {
  return (value) => {
    if (type === GraphQLString && typeof value === 'string') return value;
    const serialized = type.serialize(value);
    if (serialized == null) throw new Error(`${type} cannot be serialized.`);
    return serialized;
  };
}

function completerOfValues(planner: Planner, type: GraphQLOutputType, nodes: readonly FieldNode[]): Complete {
  if (isListType(type)) return completerOfList(completerOf(planner, type.ofType, nodes));
  if (isObjectType(type)) return completerOfObject(planner, type, nodes);
  if (isAbstractType(type)) return completerOfAbstract(planner, type, nodes);
  throw new Error(`${type} cannot be planned.`);
}

function completerOfList(complete: Complete): Complete {
  return (value, run, info) => {
    // The interpreter handles other iterables.
    if (!Array.isArray(value)) throw new Error('The value is not an array.');
    const items: unknown[] = [];
    for (const item of value as unknown[]) {
      if (isPromise(item)) {
        const at = items.push(null) - 1;
        run.wait(item, (settled) => {
          items[at] = complete(settled, run, info);
        });
      } else items.push(complete(item, run, info));
    }
    return items;
  };
}

function completerOfObject(planner: Planner, type: GraphQLObjectType, nodes: readonly FieldNode[]): Complete {
  // Planned at the first object, because a type may contain itself.
  let plan: ObjectPlan | undefined;
  const { schema, fragments, variables } = planner;
  return (value, run, info) => {
    if (type.isTypeOf && type.isTypeOf(value, run.context, info) !== true)
      throw new Error(`The value is not a ${type.name}.`);
    plan ??= planFields(planner, type, collectSubfields(schema, fragments, variables, type, nodes));
    return executeFields(plan, value, run);
  };
}

function completerOfAbstract(
  planner: Planner,
  type: GraphQLAbstractType,
  nodes: readonly FieldNode[],
): Complete {
  const completers = new Map<string, Complete>();
  const { schema } = planner;
  return (value, run, info) => {
    const name = (type.resolveType ?? defaultTypeResolver)(value, run.context, info, type);
    if (typeof name !== 'string') {
      if (isPromise(name)) run.wait(name, () => {});
      throw new Error(`${type.name} is not resolved at once.`);
    }
    let complete = completers.get(name);
    if (!complete) {
      const runtimeType = schema.getType(name);
      if (!isObjectType(runtimeType) || !schema.isSubType(type, runtimeType))
        throw new Error(`${name} is not a ${type.name}.`);
      complete = completerOfObject(planner, runtimeType, nodes);
      completers.set(name, complete);
    }
    return complete(value, run, info);
  };
}
