import { edit } from '../../text/image-details.ts';

export type ParsedMetadata = { readonly value: Record<string, unknown> | null } | { readonly fault: string };

/** Parses what a person typed as metadata; an empty text means no metadata. */
export function parseMetadata(source: string): ParsedMetadata {
  if (source.trim() === '') return { value: null };
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    return { fault: edit.notJson((error as SyntaxError).message) };
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? { value: value as Record<string, unknown> } : { fault: edit.notObject };
}
