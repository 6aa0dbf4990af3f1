/**
 * Prepared queries: the execution of a query along a plan that is made once for each document.
 *
 * The plan uses graphql-js for everything that gives a document its meaning: `collectFields`, `getVariableValues`, `getArgumentValues` and the
 * serializers of leaf types. What it saves is the work that graphql-js repeats for each row of each request.
 *
 * A prepared query covers success only. Anything else (an error of a variable, an argument or a resolver; null for a non-null field; a value
 * that is not what its type wants) makes `run` resolve to null, and the interpreter must answer the request from the beginning. So this file
 * decides neither which errors an answer has, nor in which order. test/compare/documents.test.ts compares the answers of both.
 */
import {
  type DocumentNode,
  defaultFieldResolver,
  defaultTypeResolver,
  type ExecutionResult,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  GraphQLString,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  isAbstractType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  TypeNameMetaFieldDef,
  visit,
} from 'graphql';
import { collectFields, collectSubfields } from 'graphql/execution/collectFields.js';
import { isPromise } from './operation-timeout.ts';

export interface PreparedQuery {
  readonly document: DocumentNode;
  /** Resolves to a result without errors, or to null: the interpreter must answer. Never rejects. */
  run(context: unknown, variables: Variables): Promise<ExecutionResult | null> | ExecutionResult | null;
}

type Variables = Readonly<Record<string, unknown>>;

/** Most plans of one document: one for each combination of values of the variables that its @skip and @include read. */
const MAX_PLANS = 16;

/**
 * Prepares one operation of a document that has been validated.
 * @returns null for an operation that only the interpreter runs: mutations, subscriptions, introspection, unknown directives, and the response
 *   name `__proto__`, which is not an ordinary property of an object.
 */
export function prepareQuery(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null,
): PreparedQuery | null {
  const operation = getOperationAST(document, operationName);
  const type = schema.getQueryType();
  if (!type || operation?.operation !== 'query') return null;
  const read = readConditions(document);
  if (read === null) return null;
  const definitions = operation.variableDefinitions ?? [];
  // Those of other operations of the document decide nothing here.
  const conditions = read.filter((name) => definitions.some(({ variable }) => variable.name.value === name));
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const each of document.definitions)
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments[each.name.value] = each;
  const plans = new Map<string, ObjectPlan>();

  function planFor(variables: Variables): ObjectPlan | null {
    let key = '';
    for (const name of conditions) {
      const value = variables[name];
      if (typeof value !== 'boolean') return null;
      key += value ? '1' : '0';
    }
    const known = plans.get(key);
    if (known) return known;
    if (plans.size >= MAX_PLANS) return null;
    // The others may be large, and a plan is kept.
    const deciding = Object.fromEntries(conditions.map((name) => [name, variables[name]]));
    const planner = {
      schema,
      fragments,
      operation: operation as OperationDefinitionNode,
      variables: deciding,
    };
    const { selectionSet } = planner.operation;
    const plan = planFields(
      planner,
      type as GraphQLObjectType,
      collectFields(schema, fragments, deciding, type as GraphQLObjectType, selectionSet),
    );
    plans.set(key, plan);
    return plan;
  }

  return {
    document,
    run(context, given) {
      try {
        const { coerced } = getVariableValues(schema, definitions, given, { maxErrors: 1 });
        const plan = coerced && planFor(coerced);
        if (!plan) return null;
        const run = new Run(context, coerced);
        const data = executeFields(plan, undefined, run);
        const succeeded = run.end();
        return isPromise(succeeded) ? succeeded.then((success) => (success ? { data } : null)) : { data };
      } catch {
        return null;
      }
    },
  };
}

/** The names of the variables that decide which fields a document selects; null where the document cannot be prepared. */
function readConditions(document: DocumentNode): string[] | null {
  const names = new Set<string>();
  let unknown = false;
  visit(document, {
    Directive({ name, arguments: given = [] }) {
      if (name.value !== 'skip' && name.value !== 'include') unknown = true;
      for (const { value } of given) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
    Field({ name, alias }) {
      if (alias?.value === '__proto__' || name.value === '__schema' || name.value === '__type')
        unknown = true;
    },
  });
  return unknown ? null : [...names];
}

/** What a plan is made from. `variables` are those that decide @skip and @include. */
interface Planner {
  readonly schema: GraphQLSchema;
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  readonly operation: OperationDefinitionNode;
  readonly variables: Variables;
}

/**
 * One execution of a plan. Values that are not there yet are put into the answer when they come, and the run ends when none is left: so the
 * answer is made without a promise for each object and list.
 */
class Run {
  readonly context: unknown;
  /** Coerced by graphql-js. */
  readonly variables: Variables;
  #pending = 0;
  #hasFailed = false;
  #resolve: ((success: boolean) => void) | null = null;

  constructor(context: unknown, variables: Variables) {
    this.context = context;
    this.variables = variables;
  }

  /** Calls `use` with the value; the run fails when there is none, or when `use` throws. */
  wait(promise: PromiseLike<unknown>, use: (value: unknown) => void): void {
    this.#pending++;
    promise.then(
      (value) => {
        if (this.#hasFailed) return;
        try {
          use(value);
        } catch {
          return this.#fail();
        }
        if (--this.#pending === 0) this.#resolve?.(true);
      },
      () => this.#fail(),
    );
  }

  /** Whether every value has come; called once, when all resolvers that need no other value have been called. */
  end(): true | Promise<boolean> {
    if (this.#pending === 0) return true;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#resolve?.(false);
  }
}

/** Turns what a resolver returned into its part of the answer, of which values may come later. Throws where graphql-js reports an error. */
type Complete = (value: unknown, run: Run, info: Info) => unknown;

interface FieldPlan {
  readonly planner: Planner;
  /** Name in the answer. */
  readonly key: string;
  readonly parentType: GraphQLObjectType;
  readonly field: GraphQLField<unknown, unknown>;
  readonly nodes: readonly FieldNode[];
  /** The first of them, whose arguments count. */
  readonly node: FieldNode;
  readonly resolve: GraphQLFieldResolver<unknown, unknown>;
  /** Whether the resolver gets any: some are sent, have defaults, or are required. */
  readonly hasArguments: boolean;
  readonly complete: Complete;
}

/** The fields of an object in the order of the answer. */
type ObjectPlan = readonly FieldPlan[];

type Result = Record<string, unknown>;
type Selection = ReadonlyMap<string, readonly FieldNode[]>;

function planFields(planner: Planner, parentType: GraphQLObjectType, selection: Selection): ObjectPlan {
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

function executeFields(plan: ObjectPlan, source: unknown, run: Run): Result {
  const result: Result = {};
  for (const field of plan) {
    const { key, resolve, complete } = field;
    const args = field.hasArguments ? getArgumentValues(field.field, field.node, run.variables) : {};
    const info = new Info(field, run);
    const value = resolve(source, args, run.context, info);
    if (isPromise(value)) {
      // Keeps its place in the order of the answer.
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
    // Other iterables are left to the interpreter.
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
  // Made when the first object comes: a type may contain itself.
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

/** What a resolver is told of its field. Made for each call, so it holds two references and reads the rest from the plan. */
class Info implements GraphQLResolveInfo {
  readonly #plan: FieldPlan;
  readonly #run: Run;

  constructor(plan: FieldPlan, run: Run) {
    this.#plan = plan;
    this.#run = run;
  }

  get fieldName() {
    return this.#plan.field.name;
  }
  get fieldNodes() {
    return this.#plan.nodes;
  }
  get returnType() {
    return this.#plan.field.type;
  }
  get parentType() {
    return this.#plan.parentType;
  }
  get schema() {
    return this.#plan.planner.schema;
  }
  get fragments() {
    return this.#plan.planner.fragments;
  }
  get rootValue() {
    return undefined;
  }
  get operation() {
    return this.#plan.planner.operation;
  }
  get variableValues() {
    return this.#run.variables;
  }
  /** The path is not tracked. A resolver that asks for it is run by the interpreter. */
  get path(): never {
    throw new Error('A prepared query has no path.');
  }
}
