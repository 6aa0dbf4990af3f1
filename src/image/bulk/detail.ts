/** Errors of results, as the column maintenance_items.detail keeps them. */
import type { ErrorCode, FixativeError } from '../../errors.ts';

/** Longest message, in characters. */
const MAX_MESSAGE = 500;

export interface Detail {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}

export function detailOf({ code, message, retryable }: FixativeError): string {
  // Neither NUL nor half a character can be stored.
  const text = message.slice(0, MAX_MESSAGE).replaceAll('\0', '').toWellFormed();
  return JSON.stringify({ code, message: text, retryable } satisfies Detail);
}

/** Not an Error: GraphQL would take it for a failure of the field. */
export const errorOf = (detail: string | null): Detail | null =>
  detail === null ? null : (JSON.parse(detail) as Detail);
