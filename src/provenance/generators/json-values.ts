/** Reads JSON that generators stored in pictures. Its values may have any type. */

export type JsonObject = Record<string, unknown>;

/**
 * Parses a JSON object; null for any other text. NaN and Infinity, which Python writes for numbers, are read
 * as null. Integers that JavaScript cannot hold exactly become strings of their digits, because seeds can be
 * that large.
 */
export function parseJsonObject(text: string | undefined): JsonObject | null {
  if (text === undefined || !/^\s*\{/.test(text)) return null;
  return tryParse(text) ?? (/NaN|Infinity/.test(text) ? tryParse(replaceNaN(text)) : null);
}

function tryParse(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text, keepDigits));
  } catch {
    // Not JSON, or nested too deeply for the stack.
    return null;
  }
}

/**
 * Replaces NaN, Infinity and -Infinity by null, but not within strings, because prompts may hold these words.
 * Runs in time linear to the length of the text.
 */
function replaceNaN(text: string): string {
  let result = '';
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const outside = quote === -1 ? text.slice(at) : text.slice(at, quote);
    result += outside.replaceAll(/-?\b(?:NaN|Infinity)\b/g, 'null');
    if (quote === -1) break;
    at = endOfString(text, quote);
    result += text.slice(quote, at);
  }
  return result;
}

/** Returns the index after the string that begins at `quote`. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text[first - 1] === '\\') first -= 1;
    // An odd number of backslashes escapes the quotation mark.
    if ((end - first) % 2 === 0) return end + 1;
  }
  return text.length;
}

function keepDigits(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source ?? '') ? context?.source : value;
}

/** Returns the value when it is an object and not an array; otherwise null. */
export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** Returns an own property, never an inherited one such as `constructor`. */
export function ownProperty(object: JsonObject | null, key: string): unknown {
  return object !== null && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Returns the value when it is a string that is not blank; otherwise null. */
export function asText(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

/** Returns the digits of an integer or of a string of digits; otherwise null. */
export function asDigits(value: unknown): string | null {
  if (typeof value === 'number' && Number.isInteger(value)) return String(value);
  return typeof value === 'string' && /^\s*-?\d{1,40}\s*$/.test(value) ? value.trim() : null;
}

/** Returns a finite number, or the number in a string; otherwise null. */
export function asNumber(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}
