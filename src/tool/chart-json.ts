/** Charts as plain JSON: their types, a safe copy of the client's JSON, and the error for a bad chart. */
import { InputError } from '../errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export const CHART_KINDS = ['BAR', 'LINE', 'AREA', 'POINT', 'PIE'] as const;
export type ChartKind = (typeof CHART_KINDS)[number];

/** A checked chart. It is plain JSON, so that it can be stored and drawn later. */
export interface Chart {
  /** Specification in Vega-Lite. */
  readonly spec: JsonObject;
  /** null: the client gave a specification. */
  readonly kind: ChartKind | null;
}

/** Path of a chart in the input of a mutation. */
export const CHART_PATH = ['input', 'chart'];

const KiB = 1024;
/** Most levels of nested objects and lists. */
const MAX_DEPTH = 32;

/** Keys with a special meaning for JavaScript objects. */
const SPECIAL_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Copies a value that must be plain JSON. The copy has a limited size and depth.
 * @param path of the value in the input, for errors
 * @throws InputError INVALID_INPUT when the value is not JSON, is nested too deeply, is larger than
 *   `maxBytes`, or has a special key
 */
export function copyJson(value: unknown, path: readonly string[], maxBytes: number): Json {
  return copyValue(value, path, { root: path, maxBytes, bytes: 0 });
}

interface CopyBudget {
  /** Path of the whole value. */
  readonly root: readonly string[];
  readonly maxBytes: number;
  /** Bytes counted so far. */
  bytes: number;
}

function countBytes(budget: CopyBudget, bytes: number): void {
  budget.bytes += bytes;
  if (budget.bytes > budget.maxBytes) {
    throw chartError(budget.root, `It is larger than ${budget.maxBytes / KiB} KiB`);
  }
}

function copyValue(value: unknown, path: readonly string[], budget: CopyBudget): Json {
  if (path.length - budget.root.length > MAX_DEPTH) {
    throw chartError(budget.root, `It is nested more than ${MAX_DEPTH} levels deep`);
  }
  if (value === null || typeof value === 'boolean') {
    countBytes(budget, 5);
    return value;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw chartError(path, `JSON has no number ${value}`);
    countBytes(budget, 8);
    return value;
  }
  if (typeof value === 'string') {
    // Counts the length first, so that a string that is too long is not encoded at all.
    countBytes(budget, value.length + 2);
    countBytes(budget, Buffer.byteLength(value) - value.length);
    return value;
  }
  if (Array.isArray(value)) {
    countBytes(budget, 2);
    return value.map((item, i) => copyValue(item, [...path, String(i)], budget));
  }
  if (typeof value !== 'object') throw chartError(path, `A ${typeof value} is not JSON`);
  return copyObject(value, path, budget);
}

function copyObject(object: object, path: readonly string[], budget: CopyBudget): JsonObject {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== null && prototype !== Object.prototype) throw chartError(path, 'It is not plain JSON');
  countBytes(budget, 2);
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (SPECIAL_KEYS.has(key)) throw chartError(path, `The key ${JSON.stringify(key)} is not allowed`);
      countBytes(budget, Buffer.byteLength(key) + 3);
      return [key, copyValue(value, [...path, key], budget)];
    }),
  );
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param reason sentence without a full stop */
export function chartError(path: readonly string[], reason: string): InputError {
  // The client chose the path, so its length is limited.
  const short = path.slice(0, 12).map((step) => step.slice(0, 60));
  return new InputError('INVALID_INPUT', `The chart is not valid: ${reason} (${short.slice(1).join('.')}).`, {
    path: short,
  });
}
