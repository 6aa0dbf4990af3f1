/** Charts from rows: checks the columns and writes the Vega-Lite specification. */
import {
  CHART_KINDS,
  CHART_PATH,
  type Chart,
  type ChartKind,
  chartError,
  copyJson,
  isObject,
  type Json,
  type JsonObject,
} from './chart-json.ts';
import { MAX_ROWS } from './chart-spec.ts';

const MAX_ROWS_BYTES = 1024 * 1024;

/**
 * Builds a chart from rows.
 * @param fields of the client's chart, without those that are null
 * @throws InputError INVALID_INPUT; `path` names the faulty field
 */
export function parseRowsChart(fields: ReadonlyMap<string, unknown>): Chart {
  const kind = CHART_KINDS.find((each) => each === fields.get('kind'));
  if (!kind) throw chartError([...CHART_PATH, 'kind'], `The kind must be one of ${CHART_KINDS.join(', ')}`);
  const rows = fields.get('rows');
  if (!Array.isArray(rows) || rows.length === 0)
    throw chartError([...CHART_PATH, 'rows'], 'There must be at least one row');
  if (rows.length > MAX_ROWS)
    throw chartError([...CHART_PATH, 'rows'], `There are more than ${MAX_ROWS} rows`);
  const copied = copyJson(rows, [...CHART_PATH, 'rows'], MAX_ROWS_BYTES) as readonly Json[];
  const table = copied.map((row, i) => {
    if (!isObject(row))
      throw chartError([...CHART_PATH, 'rows', String(i)], 'A row must be an object of named values');
    return row;
  });
  const x = readColumn(table, 'x', fields.get('x'));
  const y = readColumn(table, 'y', fields.get('y'));
  const color = fields.has('color') ? readColumn(table, 'color', fields.get('color')) : null;
  if (!y.values.every((value) => value === null || typeof value === 'number')) {
    throw chartError(
      [...CHART_PATH, 'y'],
      `The column ${JSON.stringify(y.name)} has a value that is not a number`,
    );
  }
  if (kind === 'PIE' && color)
    throw chartError([...CHART_PATH, 'color'], 'A pie has one colour for each x. Leave color out');
  if (kind === 'PIE' && y.values.some((value) => Number(value) < 0)) {
    throw chartError([...CHART_PATH, 'y'], 'The values of a pie must not be negative');
  }
  // The columns get plain names, because Vega-Lite reads dots and brackets in a field's name as a path.
  const xValues = columnType(x) === 'temporal' ? x.values.map(epochOf) : x.values;
  const values = table.map((_, i) => ({
    x: xValues[i] ?? null,
    y: y.values[i] ?? null,
    ...(color ? { color: color.values[i] ?? null } : {}),
  }));
  return { kind, spec: buildSpec(kind, { values, x, y, color, title: readTitle(fields.get('title')) }) };
}

interface Column {
  readonly name: string;
  readonly values: readonly Json[];
}

function readColumn(table: readonly JsonObject[], field: string, name: unknown): Column {
  if (typeof name !== 'string' || name === '' || name.length > 200) {
    throw chartError([...CHART_PATH, field], `Name the column of the rows for ${field}`);
  }
  if (!table.some((row) => Object.hasOwn(row, name))) {
    const columns = [...new Set(table.slice(0, 100).flatMap((row) => Object.keys(row)))].slice(0, 20);
    throw chartError(
      [...CHART_PATH, field],
      `No row has the column ${JSON.stringify(name)}. The columns are ${columns.join(', ')}`,
    );
  }
  const values = table.map((row) => (Object.hasOwn(row, name) ? (row[name] ?? null) : null));
  if (values.some((value) => typeof value === 'object' && value !== null)) {
    throw chartError(
      [...CHART_PATH, field],
      `The column ${JSON.stringify(name)} has lists or objects. Give numbers, texts or times`,
    );
  }
  return { name, values };
}

function readTitle(title: unknown): string | null {
  if (title === undefined) return null;
  if (typeof title === 'string' && title.length <= 500) return title;
  throw chartError([...CHART_PATH, 'title'], 'A title must be a text of at most 500 characters');
}

const MARKS: Readonly<Record<ChartKind, JsonObject>> = {
  BAR: { type: 'bar', cornerRadiusEnd: 2 },
  LINE: { type: 'line', strokeWidth: 2.5, strokeJoin: 'round' },
  AREA: { type: 'area', opacity: 0.8, line: true },
  POINT: { type: 'point', filled: true, size: 50, opacity: 0.75 },
  PIE: { type: 'arc', stroke: '#fff', strokeWidth: 1.5 },
};

/** Configuration of Vega-Lite for all charts from rows. */
const STYLE: JsonObject = {
  background: '#ffffff',
  padding: 14,
  font: 'sans-serif',
  view: { stroke: null },
  axis: {
    gridColor: '#e6e8ec',
    domainColor: '#9aa1ab',
    tickColor: '#9aa1ab',
    labelColor: '#3d434d',
    titleColor: '#1e2228',
    labelFontSize: 11,
    titleFontSize: 12,
    titlePadding: 8,
    labelLimit: 140,
  },
  legend: { labelFontSize: 11, titleFontSize: 12, labelLimit: 160, symbolLimit: 24 },
  title: { fontSize: 16, anchor: 'start', offset: 12, color: '#1e2228' },
  range: { category: { scheme: 'tableau10' } },
};

interface Table {
  readonly values: readonly JsonObject[];
  readonly x: Column;
  readonly y: Column;
  readonly color: Column | null;
  readonly title: string | null;
}

function buildSpec(kind: ChartKind, table: Table): JsonObject {
  const { values, title } = table;
  return {
    ...(title === null ? {} : { title }),
    data: { values },
    mark: MARKS[kind],
    config: STYLE,
    encoding: kind === 'PIE' ? pieEncoding(table) : axesEncoding(kind, table),
  };
}

function pieEncoding({ x }: Table): JsonObject {
  return {
    theta: { field: 'y', type: 'quantitative', aggregate: 'sum', stack: true },
    color: { field: 'x', type: 'nominal', title: x.name, sort: null },
    order: { field: 'y', type: 'quantitative', aggregate: 'sum', sort: 'descending' },
  };
}

function axesEncoding(kind: ChartKind, { x, y, color }: Table): JsonObject {
  const xType = kind === 'BAR' && columnType(x) === 'quantitative' ? 'ordinal' : columnType(x);
  return {
    x: {
      field: 'x',
      type: xType,
      title: x.name,
      // Names keep the order of the rows. Numbers and times are sorted.
      ...(xType === 'nominal' ? { sort: null } : {}),
      ...(xType === 'quantitative' ? { scale: { zero: false, padding: kind === 'POINT' ? 12 : 0 } } : {}),
      // UTC, so that the chart does not depend on the server's time zone.
      ...(xType === 'temporal' ? { scale: { type: 'utc' } } : {}),
      axis: {
        ...(xType === 'nominal' || xType === 'ordinal' ? { labelAngle: labelAngle(x) } : {}),
        grid: kind === 'POINT',
      },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: y.name,
      ...(kind === 'BAR' || kind === 'AREA' ? { aggregate: 'sum' } : {}),
      ...(kind === 'POINT' ? { scale: { padding: 12 } } : {}),
    },
    ...(color ? { color: colorEncoding(color) } : {}),
  };
}

const colorEncoding = (color: Column): JsonObject => ({
  field: 'color',
  type: columnType(color) === 'quantitative' ? 'quantitative' : 'nominal',
  title: color.name,
});

function columnType({ values }: Column): 'quantitative' | 'temporal' | 'nominal' {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return 'nominal';
  if (known.every((value) => typeof value === 'number')) return 'quantitative';
  const date = /^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?$/;
  return known.every((value) => typeof value === 'string' && date.test(value)) ? 'temporal' : 'nominal';
}

/** Returns milliseconds since 1970. A time without a zone is in UTC. */
function epochOf(value: Json): Json {
  if (typeof value !== 'string') return null;
  const zoned = /[T ]/.test(value) && !/(Z|[+-]\d{2}:?\d{2})$/.test(value) ? `${value}Z` : value;
  const time = Date.parse(zoned.replace(' ', 'T'));
  return Number.isNaN(time) ? null : time;
}

/**
 * Returns the angle of the labels below the axis, in degrees: slanted when they would not fit side by side.
 */
function labelAngle({ values }: Column): number {
  const names = new Set(values.map(String));
  const longest = Math.max(...[...names].map((name) => name.length));
  return names.size * longest > 56 ? -40 : 0;
}
