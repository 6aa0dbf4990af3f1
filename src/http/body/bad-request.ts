import { GraphQLError } from 'graphql';

/** An error of the request itself, before any operation runs, answered with its HTTP status. */
export function badRequest(status: number, message: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code: status === 413 ? 'TOO_LARGE' : 'BAD_REQUEST', http: { status } },
  });
}
