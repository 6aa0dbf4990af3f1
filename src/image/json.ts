import { isExactNumber } from '../json.ts';

/**
 * Returns why the database cannot store a JSON value, as the end of a sentence; null: it can. Does not
 * recurse, so deep values are safe.
 * @param options.mayRound accepts numbers that lose digits in JavaScript. Default: false.
 */
export function faultOfJson(
  value: unknown,
  maxDepth: number,
  { mayRound = false }: { mayRound?: boolean } = {},
): string | null {
  const left: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let each = left.pop(); each; each = left.pop()) {
    if (typeof each.value === 'number' && !mayRound && !isExactNumber(each.value))
      return `contains a number that loses digits in JavaScript (${each.value}); send it as a string`;
    if (typeof each.value === 'string') {
      const fault = faultOfText(each.value);
      if (fault) return fault;
    }
    if (typeof each.value !== 'object' || each.value === null) continue;
    if (each.depth > maxDepth) return `has more than the allowed ${maxDepth} levels of nesting`;
    // A multipart request can map a file into the value; that is a class instance and not JSON.
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

/** Returns why PostgreSQL cannot store text, as the end of a sentence; null: it can. */
export function faultOfText(text: string): string | null {
  if (text.includes('\0')) return 'contains the character NUL';
  return text.isWellFormed() ? null : 'is not well-formed Unicode';
}

/** Returns a JSON value without the characters that PostgreSQL cannot store. */
export function storable<Value>(value: Value): Value {
  if (typeof value === 'string') return value.replaceAll('\0', '').toWellFormed() as Value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(storable) as Value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [storable(key), storable(inner)]),
  ) as Value;
}
