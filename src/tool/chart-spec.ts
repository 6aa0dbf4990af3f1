/**
 * What a chart may say before anything of it is compiled. A Vega-Lite specification is a program: it fetches, computes and can be made
 * to do so for ever. Here all is refused that reaches outside, and all that is plainly too much; what it computes is bounded where
 * it runs (chart-drawing.ts). What leaves this file is a copy of plain JSON, of known size and depth, without a key that is special
 * to JavaScript.
 */
import { InputError } from '../errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

const KiB = 1024;
export const MAX_SPEC_BYTES = 256 * KiB;
export const MAX_ROWS_BYTES = 1024 * KiB;
export const MAX_ROWS = 10_000;
const MAX_DEPTH = 32;
const MAX_CHART_SIDE = 4096;

const SPECIAL_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/** Each key that reaches outside of the chart, with what to write instead. */
const OUTWARD: Readonly<Record<string, string>> = {
  url: 'A chart loads nothing: put the data into data.values',
  href: 'A chart is a picture and has no links',
  usermeta: 'Settings for embedding mean nothing here: leave usermeta out',
};

/**
 * Copies what came as JSON.
 * @throws InputError INVALID_INPUT for what is no JSON, is nested too deeply, is larger than `maxBytes` or has a special key.
 */
export function copyJson(value: unknown, at: readonly string[], maxBytes: number): Json {
  let bytes = 0;
  const count = (more: number): void => {
    bytes += more;
    if (bytes > maxBytes) throw refused(at, `It is larger than ${maxBytes / KiB} KiB`);
  };
  const copy = (one: unknown, path: readonly string[]): Json => {
    if (path.length - at.length > MAX_DEPTH) throw refused(at, `It is nested more than ${MAX_DEPTH} deep`);
    if (one === null || typeof one === 'boolean') {
      count(5);
      return one;
    }
    if (typeof one === 'number') {
      if (!Number.isFinite(one)) throw refused(path, `${one} is no number that JSON knows`);
      count(8);
      return one;
    }
    if (typeof one === 'string') {
      // The length first, for a string is not to be read that is too long anyway.
      count(one.length + 2);
      count(Buffer.byteLength(one) - one.length);
      return one;
    }
    if (Array.isArray(one)) {
      count(2);
      return one.map((item, i) => copy(item, [...path, String(i)]));
    }
    if (typeof one !== 'object') throw refused(path, `A ${typeof one} is not JSON`);
    const prototype: unknown = Object.getPrototypeOf(one);
    if (prototype !== null && prototype !== Object.prototype) throw refused(path, 'It is not plain JSON');
    count(2);
    const entries = Object.entries(one).filter(([, held]) => held !== undefined);
    return Object.fromEntries(
      entries.map(([key, held]) => {
        if (SPECIAL_KEYS.has(key)) throw refused(path, `The name ${JSON.stringify(key)} is not allowed`);
        count(Buffer.byteLength(key) + 3);
        return [key, copy(held, [...path, key])];
      }),
    );
  };
  return copy(value, at);
}

/**
 * Checks a specification that `copyJson` has copied.
 * @throws InputError INVALID_INPUT that names the place.
 */
export function checkSpec(spec: JsonObject, at: readonly string[]): void {
  const schema = spec.$schema;
  if (schema !== undefined && !(typeof schema === 'string' && /\/vega-lite\//.test(schema))) {
    throw refused([...at, '$schema'], 'Only Vega-Lite is drawn here');
  }
  let rows = 0;
  const countRows = (values: Json, path: readonly string[]): void => {
    if (!Array.isArray(values)) throw refused(path, 'Data are a list of rows, not text or an object');
    rows += values.length;
    if (rows > MAX_ROWS) throw refused(path, `There are more than ${MAX_ROWS} rows`);
  };
  const walk = (value: Json, path: readonly string[]): void => {
    if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) walk(item, [...path, String(i)]);
      return;
    }
    if (!isObject(value)) return;
    for (const [key, held] of Object.entries(value)) {
      const here = [...path, key];
      const outward = Object.hasOwn(OUTWARD, key) ? OUTWARD[key] : undefined;
      if (outward) throw refused(here, outward);
      if (key === 'data' && isObject(held)) {
        checkData(held, here);
        if (held.values !== undefined) countRows(held.values, [...here, 'values']);
      } else if (key === 'datasets' && isObject(held)) {
        for (const [name, values] of Object.entries(held)) countRows(values, [...here, name]);
      } else {
        checkMark(key, held, here);
        if (key === 'width' || key === 'height') checkSide(held, here);
        walk(held, here);
      }
    }
  };
  walk(spec, at);
  checkView(spec, at);
}

/** https://vega.github.io/vega-lite/docs/mark.html, but for `image`, which loads. */
const MARKS = new Set(
  'arc area bar boxplot circle errorband errorbar geoshape line point rect rule square text tick trail'.split(
    ' ',
  ),
);
/** https://vega.github.io/vega-lite/docs/type.html, and the letters and capitals that Vega-Lite takes for them. */
const TYPES = ['quantitative', 'temporal', 'ordinal', 'nominal', 'geojson'];
const isType = (type: string) => [...TYPES, 'q', 't', 'o', 'n'].includes(type.toLowerCase());
const LISTS_OF_VIEWS = ['layer', 'concat', 'hconcat', 'vconcat'];

/** Vega-Lite trusts what is checked here, and fails in its own code where it is something else. */
function checkView(view: Json, at: readonly string[]): void {
  if (!isObject(view)) throw refused(at, 'A view is a JSON object');
  const list = LISTS_OF_VIEWS.find((key) => key in view);
  if (list !== undefined) {
    const views = view[list];
    if (!Array.isArray(views)) throw refused([...at, list], 'Views are a list of specifications');
    for (const [i, each] of views.entries()) checkView(each, [...at, list, String(i)]);
  } else if ('spec' in view) checkView(view.spec ?? null, [...at, 'spec']);
  else checkMarkOfView(view, at);
  checkEncoding(view.encoding, [...at, 'encoding']);
  if (view.transform !== undefined && !Array.isArray(view.transform))
    throw refused([...at, 'transform'], 'Transforms are a list');
}

function checkMarkOfView({ mark }: JsonObject, at: readonly string[]): void {
  if (mark === undefined) {
    const others = LISTS_OF_VIEWS.map((key) => `"${key}"`).join(', ');
    throw refused(
      at,
      `A view has a "mark", or is composed of others by ${others}, or by "spec" with "facet" or "repeat"`,
    );
  }
  const name = isObject(mark) ? mark.type : mark;
  if (typeof name !== 'string' || !MARKS.has(name))
    throw refused([...at, 'mark'], `A mark is one of ${[...MARKS].join(', ')}`);
}

function checkEncoding(encoding: Json | undefined, at: readonly string[]): void {
  if (encoding === undefined) return;
  if (!isObject(encoding)) throw refused(at, 'An encoding is an object of channels, such as x and y');
  for (const [channel, definitions] of Object.entries(encoding)) {
    const here = [...at, channel];
    // Some channels take a list, as tooltip and detail do; null takes a channel of the layer above away.
    for (const each of Array.isArray(definitions) ? definitions : [definitions]) {
      if (each !== null && !isObject(each))
        throw refused(here, 'A channel is an object, such as { "field": "a", "type": "nominal" }');
      if (each?.type !== undefined && !isType(String(each.type)))
        throw refused([...here, 'type'], `A type is one of ${TYPES.join(', ')}`);
    }
  }
}

function checkData(data: JsonObject, path: readonly string[]): void {
  for (const [key, outward] of Object.entries(OUTWARD)) {
    if (data[key] !== undefined) throw refused([...path, key], outward);
  }
  const { format, sequence } = data;
  if (isObject(format) && format.type !== undefined && format.type !== 'json') {
    throw refused([...path, 'format', 'type'], 'Data are a list of rows; no other format is read');
  }
  if (isObject(sequence)) {
    const [start, stop, step] = [sequence.start, sequence.stop, sequence.step ?? 1].map(Number);
    const count = ((stop ?? 0) - (start ?? 0)) / (step || 1);
    if (!(Math.abs(count) <= MAX_ROWS)) {
      throw refused([...path, 'sequence'], `It makes more than ${MAX_ROWS} rows`);
    }
  }
}

function checkMark(key: string, held: Json, path: readonly string[]): void {
  const mark = isObject(held) ? held.type : held;
  if (key === 'mark' && mark === 'image') throw refused(path, 'A chart loads nothing, so it has no images');
}

function checkSide(side: Json, path: readonly string[]): void {
  const pixels = isObject(side) && typeof side.step === 'number' ? side.step : side;
  // In a mark or a configuration, a width may also be a part of a band, or an expression.
  if (typeof pixels === 'number' && !(pixels >= 0 && pixels <= MAX_CHART_SIDE)) {
    throw refused(path, `It goes up to ${MAX_CHART_SIDE} pixels`);
  }
  if (pixels === 'container') throw refused(path, 'There is no container to fill; say how many pixels');
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function refused(path: readonly string[], why: string): InputError {
  // Paths come from what the client sent, and none needs to be long to be found.
  const short = path.slice(0, 12).map((step) => step.slice(0, 60));
  return new InputError('INVALID_INPUT', `The chart is not drawn. ${why} (${short.slice(1).join('.')}).`, {
    path: short,
  });
}
