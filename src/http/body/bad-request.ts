import { GraphQLError } from 'graphql';

/** Returns an error of the request itself, found before any operation runs. Its HTTP status is `status`. */
export function badRequest(status: number, message: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code: status === 413 ? 'TOO_LARGE' : 'BAD_REQUEST', http: { status } },
  });
}
