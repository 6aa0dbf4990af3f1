/**
 * Prepared queries: the execution of a query by a plan that is made once for each document.
 *
 * The plan uses graphql-js for everything that gives a document its meaning: `collectFields`,
 * `getVariableValues`, `getArgumentValues` and the serializers of leaf types. It saves the work that
 * graphql-js repeats for each row.
 *
 * A prepared query covers success only. On anything else `run` resolves to null, and the interpreter answers
 * the request from the beginning: an error of a variable, an argument or a resolver, null for a non-null
 * field, or a value that does not fit its type. So this file decides neither the errors of a response nor
 * their order. test/compare/documents.test.ts compares the responses of both.
 */
import {
  type DocumentNode,
  type ExecutionResult,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import { collectFields } from 'graphql/execution/collectFields.js';
import { isPromise } from './operation-timeout.ts';
import type { Variables } from './query-cost.ts';
import { executeFields, planFields } from './query-plan.ts';
import { type ObjectPlan, type Planner, QueryRun } from './query-run.ts';

export interface PreparedQuery {
  readonly document: DocumentNode;
  /** Resolves to a result without errors; null: the interpreter must run the query. Never rejects. */
  run(context: unknown, variables: Variables): Promise<ExecutionResult | null> | ExecutionResult | null;
}

/**
 * Most plans of one document. It has one for each combination of values of its conditions (@skip, @include).
 */
const MAX_PLANS = 16;

/**
 * Prepares one operation of a validated document.
 * @returns null for an operation that only the interpreter runs: mutations, subscriptions, introspection,
 *   unknown directives, and the response name `__proto__`, which is not an ordinary property of an object.
 */
export function prepareQuery(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null,
): PreparedQuery | null {
  const operation = getOperationAST(document, operationName);
  const type = schema.getQueryType();
  if (!type || operation?.operation !== 'query') return null;
  const names = readConditions(document);
  if (names === null) return null;
  const definitions = operation.variableDefinitions ?? [];
  // Variables of other operations of the document decide nothing here.
  const conditions = names.filter((name) => definitions.some(({ variable }) => variable.name.value === name));
  const planFor = makePlans({ schema, operation, type, fragments: fragmentsOf(document) }, conditions);
  return {
    document,
    run(context, variables) {
      try {
        const { coerced } = getVariableValues(schema, definitions, variables, { maxErrors: 1 });
        const plan = coerced && planFor(coerced);
        if (!plan) return null;
        const run = new QueryRun(context, coerced);
        const data = executeFields(plan, undefined, run);
        const succeeded = run.end();
        return isPromise(succeeded) ? succeeded.then((success) => (success ? { data } : null)) : { data };
      } catch {
        return null;
      }
    },
  };
}

interface Query extends Omit<Planner, 'variables'> {
  readonly operation: OperationDefinitionNode;
  readonly type: GraphQLObjectType;
}

/**
 * Returns a cache of the plans of a query, by the values of its conditions; null: the interpreter must run
 * it.
 */
function makePlans(
  { schema, fragments, operation, type }: Query,
  conditions: readonly string[],
): (variables: Variables) => ObjectPlan | null {
  const plans = new Map<string, ObjectPlan>();
  return (variables) => {
    let key = '';
    for (const name of conditions) {
      const value = variables[name];
      if (typeof value !== 'boolean') return null;
      key += value ? '1' : '0';
    }
    const known = plans.get(key);
    if (known) return known;
    if (plans.size >= MAX_PLANS) return null;
    // A plan is kept, so it must not hold the other variables, which may be large.
    const deciding = Object.fromEntries(conditions.map((name) => [name, variables[name]]));
    const planner = { schema, fragments, operation, variables: deciding };
    const selection = collectFields(schema, fragments, deciding, type, operation.selectionSet);
    const plan = planFields(planner, type, selection);
    plans.set(key, plan);
    return plan;
  };
}

function fragmentsOf({ definitions }: DocumentNode): Planner['fragments'] {
  const fragments: Record<string, FragmentDefinitionNode> = Object.create(null);
  for (const each of definitions)
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments[each.name.value] = each;
  return fragments;
}

/** Returns the names of the variables that @skip and @include read; null: the document cannot be prepared. */
function readConditions(document: DocumentNode): string[] | null {
  const names = new Set<string>();
  let unknown = false;
  visit(document, {
    Directive({ name, arguments: args = [] }) {
      if (name.value !== 'skip' && name.value !== 'include') unknown = true;
      for (const { value } of args) if (value.kind === Kind.VARIABLE) names.add(value.name.value);
    },
    Field({ name, alias }) {
      if (alias?.value === '__proto__' || name.value === '__schema' || name.value === '__type')
        unknown = true;
    },
  });
  return unknown ? null : [...names];
}
