import { type DocumentNode, GraphQLError, NoSchemaIntrospectionCustomRule, parse } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { QueryLimits } from '../../config.ts';
import { badRequest } from '../body/bad-request.ts';
import { type DocumentWeight, weighDocument } from './document-weight.ts';
import { costOf, type Variables } from './query-cost.ts';

/** Weights and faults of documents, kept as long as the parsed documents. */
type DocumentWeights = WeakMap<
  DocumentNode,
  { readonly weight: DocumentWeight; readonly faults: readonly GraphQLError[] }
>;

export interface QueryLimiter {
  readonly plugin: Plugin;
  /** Returns the fault of the document's size or of the variables; null: none. */
  faultOfParams(params: GraphQLParams): GraphQLError | null;
  /** Returns the fault of a validated document for these variables; null: none. */
  faultOfCost(document: DocumentNode, variables: Variables): GraphQLError | null;
  /** Returns the number of fields, each fragment counted where it is spread. */
  fieldsOf(document: DocumentNode): number;
}

/**
 * Checks the limits of a request. A document is weighed once, before its validation, because a large document
 * makes validation slow. The result is kept as long as Yoga keeps the parsed document, so that a repeated
 * document only needs a check of its variables.
 *
 * graphql-armor is not used, because its rules walk the document once each and run during validation, its
 * cost ignores variables, and its lists have no length. `maxTokens` of the parser limits the tokens.
 */
export function makeQueryLimits(limits: QueryLimits, options: { introspection: boolean }): QueryLimiter {
  const weights: DocumentWeights = new WeakMap();

  function parseLimited(source: unknown): DocumentNode {
    try {
      return parse(source as string, { maxTokens: limits.maxQueryTokens });
    } catch (error) {
      if (!(error instanceof GraphQLError) || !/Parsing aborted/.test(error.message)) throw error;
      throw tooComplex('tokens', 'MAX_QUERY_TOKENS', limits.maxQueryTokens);
    }
  }

  function faultOfParams({ query, variables }: GraphQLParams): GraphQLError | null {
    if (typeof query === 'string' && query.length * 3 > limits.maxDocumentBytes) {
      const bytes = Buffer.byteLength(query);
      if (bytes > limits.maxDocumentBytes)
        return tooComplex('bytes', 'MAX_DOCUMENT_BYTES', limits.maxDocumentBytes, bytes);
    }
    return variables ? faultOfVariables(variables, limits) : null;
  }

  function faultOfCost(document: DocumentNode, variables: Variables): GraphQLError | null {
    const weight = weights.get(document)?.weight;
    if (!weight) return null;
    // Costs that do not depend on variables were checked when the document was new.
    const fault = costsOf(weight, limits).find(
      ([, , limit, cost]) => typeof cost === 'function' && cost(variables) > limit,
    );
    return fault ? tooComplex(fault[0], fault[1], fault[2], costOf(fault[3], variables)) : null;
  }

  const plugin: Plugin = {
    onParams({ params }) {
      const fault = faultOfParams(params);
      if (fault) throw fault;
    },
    onParse({ setParseFn }) {
      setParseFn(parseLimited);
    },
    onValidate({ params: { schema, documentAST }, addValidationRule, setResult }) {
      if (!options.introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
      let known = weights.get(documentAST);
      if (!known) {
        const weight = weighDocument(schema, documentAST, limits.maxQueryFields);
        known = { weight, faults: faultsOf(weight, limits) };
        weights.set(documentAST, known);
      }
      if (known.faults.length > 0) setResult([...known.faults]);
    },
    onExecute({ args, setResultAndStopExecution }) {
      const fault = faultOfCost(args.document, args.variableValues ?? {});
      if (fault) setResultAndStopExecution({ errors: [fault] });
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const fault =
        faultOfSubscription(args.document) ?? faultOfCost(args.document, args.variableValues ?? {});
      if (fault) setResultAndStopExecution({ errors: [fault] });
    },
  };
  return {
    plugin,
    faultOfParams,
    faultOfCost,
    fieldsOf: (document) => weights.get(document)?.weight.fields ?? 0,
  };
}

/**
 * Refuses @skip and @include on the field of a subscription
 * (https://spec.graphql.org/September2025/#sec-Single-Root-Field). graphql-js does not refuse it yet, and its
 * executor fails.
 */
function faultOfSubscription({ definitions }: DocumentNode): GraphQLError | null {
  const left = definitions.flatMap((each) =>
    each.kind === 'OperationDefinition' && each.operation === 'subscription'
      ? [...each.selectionSet.selections]
      : [],
  );
  const seen = new Set<string>();
  for (let next = left.pop(); next; next = left.pop()) {
    if (next.directives?.some(({ name }) => name.value === 'skip' || name.value === 'include'))
      return badRequest(400, 'The field of a subscription cannot have @skip or @include.');
    if (next.kind === 'InlineFragment') left.push(...next.selectionSet.selections);
    if (next.kind !== 'FragmentSpread' || seen.has(next.name.value)) continue;
    const { value } = next.name;
    seen.add(value);
    for (const each of definitions)
      if (each.kind === 'FragmentDefinition' && each.name.value === value)
        left.push(...each.selectionSet.selections);
  }
  return null;
}

/** A number of a document, and its limit. */
type Row<Actual> = [what: string, setting: string, limit: number, actual: Actual];

/** Returns the costs that may depend on variables. */
const costsOf = (weight: DocumentWeight, limits: QueryLimits): Row<DocumentWeight['cost']>[] => [
  ['values to answer', 'MAX_QUERY_COST', limits.maxQueryCost, weight.cost],
  ['images to generate', 'MAX_QUERY_GENERATIONS', limits.maxQueryGenerations, weight.pictures],
];

function faultsOf(weight: DocumentWeight, limits: QueryLimits): GraphQLError[] {
  if (weight.fields > limits.maxQueryFields)
    return [
      tooComplex(
        'fields, each fragment counted where it is spread,',
        'MAX_QUERY_FIELDS',
        limits.maxQueryFields,
      ),
    ];
  const rows: Row<number>[] = [
    ['levels', 'MAX_QUERY_DEPTH', limits.maxQueryDepth, weight.depth],
    ['aliases', 'MAX_QUERY_ALIASES', limits.maxQueryAliases, weight.aliases],
    ['directives', 'MAX_QUERY_DIRECTIVES', limits.maxQueryDirectives, weight.directives],
    ['mutations', 'MAX_QUERY_MUTATIONS', limits.maxQueryMutations, weight.mutations],
    ...costsOf(weight, limits).filter((row): row is Row<number> => typeof row[3] === 'number'),
  ];
  return rows
    .filter(([, , limit, actual]) => actual > limit)
    .map(([what, setting, limit, actual]) => tooComplex(what, setting, limit, actual));
}

function tooComplex(what: string, setting: string, limit: number, actual?: number): GraphQLError {
  const message =
    actual === undefined
      ? `The document has more ${what} than the limit of ${limit} (${setting}).`
      : `The document has ${Math.ceil(actual)} ${what}; the limit is ${limit} (${setting}).`;
  return tooComplexError(message, {
    setting,
    limit,
    ...(actual === undefined ? {} : { actual: Math.ceil(actual) }),
  });
}

function tooComplexError(
  message: string,
  more: { setting: string; limit: number; actual?: number },
): GraphQLError {
  const error = badRequest(400, message);
  Object.assign(error.extensions, { code: 'TOO_COMPLEX', ...more });
  return error;
}

/** Checks the variables. Iterative, because the client decides how deep they are. Files count as nothing. */
function faultOfVariables(variables: Variables, limits: QueryLimits): GraphQLError | null {
  let bytes = 0;
  const left: [value: unknown, depth: number][] = [[variables, 0]];
  const refuse = (what: string, setting: string, limit: number) =>
    tooComplexError(`The variables have ${what} than the limit of ${limit} (${setting}).`, {
      setting,
      limit,
    });
  for (let next = left.pop(); next; next = left.pop()) {
    const [value, depth] = next;
    if (typeof value === 'string') bytes += value.length > 100 ? Buffer.byteLength(value) : value.length;
    else if (typeof value !== 'object' || value === null) bytes += 8;
    else {
      if (depth >= limits.maxVariablesDepth)
        return refuse('more levels', 'MAX_VARIABLES_DEPTH', limits.maxVariablesDepth);
      if (Array.isArray(value)) {
        if (value.length > limits.maxVariablesList)
          return refuse(`a longer list (${value.length})`, 'MAX_VARIABLES_LIST', limits.maxVariablesList);
        for (const each of value) left.push([each, depth + 1]);
      } else if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
        for (const [name, each] of Object.entries(value)) {
          bytes += name.length;
          left.push([each, depth + 1]);
        }
      }
    }
    if (bytes > limits.maxVariablesBytes)
      return refuse('more bytes', 'MAX_VARIABLES_BYTES', limits.maxVariablesBytes);
  }
  return null;
}
