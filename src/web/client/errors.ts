import type { CombinedError } from 'urql';
import { text } from '../text/shared.ts';

/** Returns the message of a failed request, for people. */
export function messageOf(error: CombinedError | undefined): string {
  if (!error) return text.unexpected;
  if (error.networkError && !error.response) return navigator.onLine ? text.unreachable : text.offline;
  return error.graphQLErrors[0]?.message ?? text.unexpected;
}

interface Outcome {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly error?: CombinedError | undefined;
}

interface UserErrorLike {
  readonly message: string;
}

/**
 * Returns why a mutation failed; null: it succeeded. Every mutation returns one payload with `userErrors`.
 * A document of the gallery has one mutation.
 */
export function faultOf({ data, error }: Outcome): string | null {
  if (error) return messageOf(error);
  const payload = Object.entries(data ?? {}).find(([name]) => name !== '__typename')?.[1];
  const faults = (payload as { userErrors?: readonly UserErrorLike[] } | null | undefined)?.userErrors ?? [];
  return faults[0]?.message ?? null;
}
