/** One execution of a prepared query, and what its plan holds for each field. */
import type {
  FieldNode,
  FragmentDefinitionNode,
  GraphQLField,
  GraphQLFieldResolver,
  GraphQLObjectType,
  GraphQLResolveInfo,
  GraphQLSchema,
  OperationDefinitionNode,
} from 'graphql';
import type { Variables } from './query-cost.ts';

/** Input of a query plan. */
export interface Planner {
  readonly schema: GraphQLSchema;
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode>>;
  readonly operation: OperationDefinitionNode;
  /** Variables that decide @skip and @include. */
  readonly variables: Variables;
}

/**
 * One execution of a plan. Values that resolve later are put into the result when they come, and the run ends
 * when none is pending. So no object and no list of the result needs a promise.
 */
export class QueryRun {
  readonly context: unknown;
  /** Values that graphql-js has coerced. */
  readonly variables: Variables;
  #pending = 0;
  #hasFailed = false;
  #resolve: ((success: boolean) => void) | null = null;

  constructor(context: unknown, variables: Variables) {
    this.context = context;
    this.variables = variables;
  }

  /** Calls `use` with the value. The run fails when the promise rejects or `use` throws. */
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

  /**
   * Returns whether every value has resolved. Called once, after the resolvers that need no pending value.
   */
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

/**
 * Turns the value of a resolver into its part of the result, in which values may still be pending. Throws
 * where graphql-js reports an error.
 */
export type Complete = (value: unknown, run: QueryRun, info: ResolveInfo) => unknown;

export interface FieldPlan {
  readonly planner: Planner;
  /** Name in the result. */
  readonly key: string;
  readonly parentType: GraphQLObjectType;
  readonly field: GraphQLField<unknown, unknown>;
  readonly nodes: readonly FieldNode[];
  /** First of the nodes; its arguments count. */
  readonly node: FieldNode;
  readonly resolve: GraphQLFieldResolver<unknown, unknown>;
  /** Whether the resolver has arguments: some are sent, have defaults, or are required. */
  readonly hasArguments: boolean;
  readonly complete: Complete;
}

/** Fields of an object in the order of the result. */
export type ObjectPlan = readonly FieldPlan[];

/**
 * The `info` of a resolver. Made for each call, so it holds two references and reads the rest from the plan.
 */
export class ResolveInfo implements GraphQLResolveInfo {
  readonly #plan: FieldPlan;
  readonly #run: QueryRun;

  constructor(plan: FieldPlan, run: QueryRun) {
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
  /** A prepared query tracks no path. The interpreter runs a query whose resolver reads it. */
  get path(): never {
    throw new Error('A prepared query has no path.');
  }
}
