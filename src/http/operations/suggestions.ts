import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Removes "Did you mean …?" from errors, which reveals the names of a schema without introspection. */
export function useHiddenSuggestions(): Plugin {
  return {
    onValidate() {
      return ({ valid, result, setResult }) => {
        if (!valid) setResult((result as GraphQLError[]).map(withoutSuggestion));
      };
    },
    onExecutionResult({ result, setResult }) {
      if (!result || Symbol.asyncIterator in result || Array.isArray(result)) return;
      const { errors } = result as { errors?: readonly GraphQLError[] };
      if (errors?.some(({ message }) => SUGGESTION.test(message)))
        setResult({ ...result, errors: errors.map(withoutSuggestion) } as never);
    },
  };
}

const SUGGESTION = /\s*Did you mean [^?]*\?/;

function withoutSuggestion(error: GraphQLError): GraphQLError {
  if (!SUGGESTION.test(error.message)) return error;
  return new GraphQLError(error.message.replace(SUGGESTION, ''), {
    nodes: error.nodes ?? null,
    path: error.path ?? null,
    originalError: error.originalError ?? null,
    extensions: error.extensions,
  });
}
