/**
 * Checks a Vega-Lite specification before it is compiled. A specification is a program: it can load data,
 * compute, and run forever. Everything that reaches outside of the chart and every obvious excess is rejected
 * here. chart-drawing.ts limits what a specification computes.
 */
import { chartError, isObject, type Json, type JsonObject } from './chart-json.ts';

/** Most rows of data in one chart. */
export const MAX_ROWS = 10_000;
/** Largest width and height that a specification may name, in pixels. */
const MAX_CHART_SIDE = 4096;

/** Keys that reach outside of the chart, with advice for the client. */
const OUTWARD_KEYS: Readonly<Record<string, string>> = {
  url: 'A chart loads no data. Put the rows into data.values',
  href: 'A chart is a picture and has no links. Leave href out',
  usermeta: 'Embedding options have no effect. Leave usermeta out',
};

/**
 * Checks a specification that `copyJson` has copied.
 * @throws InputError INVALID_INPUT; `path` names the faulty part
 */
export function checkSpec(spec: JsonObject, path: readonly string[]): void {
  const schema = spec.$schema;
  if (schema !== undefined && !(typeof schema === 'string' && /\/vega-lite\//.test(schema))) {
    throw chartError([...path, '$schema'], 'Only Vega-Lite is supported');
  }
  checkReach(spec, path, { rows: 0 });
  checkView(spec, path);
}

/** Number of rows of data found so far in the whole specification. */
interface RowCount {
  rows: number;
}

/**
 * Rejects keys that reach outside of the chart, too many rows, and sides that are too large, at every depth.
 */
function checkReach(value: Json, path: readonly string[], count: RowCount): void {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) checkReach(item, [...path, String(i)], count);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, held] of Object.entries(value)) {
    const here = [...path, key];
    const advice = Object.hasOwn(OUTWARD_KEYS, key) ? OUTWARD_KEYS[key] : undefined;
    if (advice) throw chartError(here, advice);
    if (key === 'data' && isObject(held)) {
      checkData(held, here);
      if (held.values !== undefined) countRows(held.values, [...here, 'values'], count);
    } else if (key === 'datasets' && isObject(held)) {
      for (const [name, values] of Object.entries(held)) countRows(values, [...here, name], count);
    } else {
      checkMark(key, held, here);
      if (key === 'width' || key === 'height') checkSide(held, here);
      checkReach(held, here, count);
    }
  }
}

function countRows(values: Json, path: readonly string[], count: RowCount): void {
  if (!Array.isArray(values)) throw chartError(path, 'Data must be a list of rows');
  count.rows += values.length;
  if (count.rows > MAX_ROWS) throw chartError(path, `There are more than ${MAX_ROWS} rows`);
}

/** All marks but `image`, which loads pictures. @see https://vega.github.io/vega-lite/docs/mark.html */
const MARKS = new Set(
  'arc area bar boxplot circle errorband errorbar geoshape line point rect rule square text tick trail'.split(
    ' ',
  ),
);
/** @see https://vega.github.io/vega-lite/docs/type.html */
const TYPES = ['quantitative', 'temporal', 'ordinal', 'nominal', 'geojson'];
/** Vega-Lite also accepts capitals and first letters. */
const isType = (type: string) => [...TYPES, 'q', 't', 'o', 'n'].includes(type.toLowerCase());
const LISTS_OF_VIEWS = ['layer', 'concat', 'hconcat', 'vconcat'];

/** Checks the structure of a view. Vega-Lite does not check it, and fails with errors of its own code. */
function checkView(view: Json, path: readonly string[]): void {
  if (!isObject(view)) throw chartError(path, 'A view must be a JSON object');
  const list = LISTS_OF_VIEWS.find((key) => key in view);
  if (list !== undefined) {
    const views = view[list];
    if (!Array.isArray(views)) throw chartError([...path, list], 'Views must be a list of specifications');
    for (const [i, each] of views.entries()) checkView(each, [...path, list, String(i)]);
  } else if ('spec' in view) checkView(view.spec ?? null, [...path, 'spec']);
  else checkMarkOfView(view, path);
  checkEncoding(view.encoding, [...path, 'encoding']);
  if (view.transform !== undefined && !Array.isArray(view.transform))
    throw chartError([...path, 'transform'], 'Transforms must be a list');
}

function checkMarkOfView({ mark }: JsonObject, path: readonly string[]): void {
  if (mark === undefined) {
    const others = LISTS_OF_VIEWS.map((key) => `"${key}"`).join(', ');
    throw chartError(path, `A view needs a "mark", one of ${others}, or "spec" with "facet" or "repeat"`);
  }
  const name = isObject(mark) ? mark.type : mark;
  if (typeof name !== 'string' || !MARKS.has(name))
    throw chartError([...path, 'mark'], `A mark must be one of ${[...MARKS].join(', ')}`);
}

function checkEncoding(encoding: Json | undefined, path: readonly string[]): void {
  if (encoding === undefined) return;
  if (!isObject(encoding))
    throw chartError(path, 'An encoding must be an object with channels such as x and y');
  for (const [channel, definitions] of Object.entries(encoding)) {
    const here = [...path, channel];
    // Some channels accept a list, such as tooltip and detail. null removes a channel of the outer layer.
    for (const each of Array.isArray(definitions) ? definitions : [definitions]) {
      if (each !== null && !isObject(each))
        throw chartError(here, 'A channel must be an object such as { "field": "a", "type": "nominal" }');
      if (each?.type !== undefined && !isType(String(each.type)))
        throw chartError([...here, 'type'], `A type must be one of ${TYPES.join(', ')}`);
    }
  }
}

function checkData(data: JsonObject, path: readonly string[]): void {
  for (const [key, advice] of Object.entries(OUTWARD_KEYS)) {
    if (data[key] !== undefined) throw chartError([...path, key], advice);
  }
  const { format, sequence } = data;
  if (isObject(format) && format.type !== undefined && format.type !== 'json') {
    throw chartError(
      [...path, 'format', 'type'],
      'Data must be a list of rows. Other formats are not supported',
    );
  }
  if (isObject(sequence)) {
    const [start, stop, step] = [sequence.start, sequence.stop, sequence.step ?? 1].map(Number);
    const count = ((stop ?? 0) - (start ?? 0)) / (step || 1);
    if (!(Math.abs(count) <= MAX_ROWS)) {
      throw chartError([...path, 'sequence'], `The sequence has more than ${MAX_ROWS} rows`);
    }
  }
}

function checkMark(key: string, held: Json, path: readonly string[]): void {
  const mark = isObject(held) ? held.type : held;
  if (key === 'mark' && mark === 'image')
    throw chartError(path, 'A chart loads no images. Choose another mark');
}

function checkSide(side: Json, path: readonly string[]): void {
  const pixels = isObject(side) && typeof side.step === 'number' ? side.step : side;
  // In a mark or a configuration, a width can also be a part of a band or an expression.
  if (typeof pixels === 'number' && !(pixels >= 0 && pixels <= MAX_CHART_SIDE)) {
    throw chartError(path, `It must be from 0 to ${MAX_CHART_SIDE} pixels`);
  }
  if (pixels === 'container') throw chartError(path, 'A picture has no container. Give the number of pixels');
}
