/** What a generator says of how it made a picture. */
export interface Recipe {
  readonly generator: string;
  readonly prompt?: string | null;
  readonly negativePrompt?: string | null;
  readonly model?: string | null;
  readonly seed?: string | null;
  readonly steps?: number | null;
  readonly sampler?: string | null;
  readonly cfgScale?: number | null;
}

export type JsonObject = Record<string, unknown>;

/**
 * The JSON object in a text, or null. Python writes NaN and Infinity for numbers, which are no JSON: they are read as null. Whole numbers
 * that JavaScript cannot hold become texts of their digits, for seeds are such numbers.
 */
export function parseObject(text: string | undefined): JsonObject | null {
  if (text === undefined || !/^\s*\{/.test(text)) return null;
  return tryParse(text) ?? (/NaN|Infinity/.test(text) ? tryParse(nullForNaN(text)) : null);
}

function tryParse(text: string): JsonObject | null {
  try {
    return objectOf(JSON.parse(text, keepDigits));
  } catch {
    // Not JSON, or nested deeper than the stack is high.
    return null;
  }
}

/** Replaces NaN, Infinity and -Infinity by null outside of strings; prompts may hold these words. Linear in the length of the text. */
function nullForNaN(text: string): string {
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

/** The place behind the string that begins at `quote`. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text[first - 1] === '\\') first -= 1;
    // After an odd number of backslashes the quotation mark belongs to the string.
    if ((end - first) % 2 === 0) return end + 1;
  }
  return text.length;
}

function keepDigits(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  return /^-?\d+$/.test(context?.source ?? '') ? context?.source : value;
}

export function objectOf(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** A property of the object itself, never of what every object has. */
export function own(object: JsonObject | null, key: string): unknown {
  return object !== null && Object.hasOwn(object, key) ? object[key] : undefined;
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

/** A number, or a text of digits. */
export function digitsOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isInteger(value)) return String(value);
  return typeof value === 'string' && /^\s*-?\d{1,40}\s*$/.test(value) ? value.trim() : null;
}

export function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}
