import { isExactNumber } from '../json.ts';

/**
 * Why a JSON value cannot be kept in the database, or null: checked by value, before anything recurses into it.
 * @param options.mayRound whether numbers may be what they were rounded to when the request was read.
 */
export function faultOfJson(
  value: unknown,
  maxDepth: number,
  { mayRound = false }: { mayRound?: boolean } = {},
): string | null {
  const left: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let each = left.pop(); each; each = left.pop()) {
    if (typeof each.value === 'number' && !mayRound && !isExactNumber(each.value))
      return `holds a number that JavaScript rounds (${each.value}); send it as text`;
    if (typeof each.value === 'string') {
      const fault = faultOfText(each.value);
      if (fault) return fault;
    }
    if (typeof each.value !== 'object' || each.value === null) continue;
    if (each.depth > maxDepth) return `is nested deeper than ${maxDepth} levels`;
    // A file that a multipart request maps into it is an object of ours, and no JSON.
    const prototype = Object.getPrototypeOf(each.value);
    if (!Array.isArray(each.value) && prototype !== Object.prototype && prototype !== null)
      return 'is not JSON';
    for (const [key, inner] of Object.entries(each.value)) {
      const fault = faultOfText(key);
      if (fault) return fault;
      left.push({ value: inner, depth: each.depth + 1 });
    }
  }
  return null;
}

/** PostgreSQL keeps neither. */
export function faultOfText(text: string): string | null {
  if (text.includes('\0')) return 'contains the character NUL';
  return text.isWellFormed() ? null : 'is not well-formed Unicode';
}

/** A JSON value of others, without what PostgreSQL keeps not. */
export function storable<Value>(value: Value): Value {
  if (typeof value === 'string') return value.replaceAll('\0', '').toWellFormed() as Value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(storable) as Value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [storable(key), storable(inner)]),
  ) as Value;
}
