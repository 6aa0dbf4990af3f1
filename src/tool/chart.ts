/**
 * Charts: from rows and the names of their columns, or from a Vega-Lite specification. Both become one specification, which
 * `chart-drawing.ts` draws.
 */
import {
  checkSpec,
  copyJson,
  isObject,
  type Json,
  type JsonObject,
  MAX_ROWS,
  MAX_ROWS_BYTES,
  MAX_SPEC_BYTES,
  refused,
} from './chart-spec.ts';

export { drawChart } from './chart-drawing.ts';

export const CHART_KINDS = ['BAR', 'LINE', 'AREA', 'POINT', 'PIE'] as const;
export type ChartKind = (typeof CHART_KINDS)[number];

/** A chart that may be drawn; plain JSON, which may be kept and drawn later. */
export interface Chart {
  /** Of Vega-Lite. */
  readonly spec: JsonObject;
  /** null: it came as a specification. */
  readonly kind: ChartKind | null;
}

const AT = ['input', 'chart'];

/**
 * Reads a chart, `{ spec }` or `{ rows, kind, x, y, color?, title? }`.
 * @throws InputError INVALID_INPUT that names what is wrong in it, and where.
 */
export function parseChart(input: unknown): Chart {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw refused(AT, 'Give a specification of Vega-Lite as spec, or rows with kind, x and y');
  }
  const given = new Map(Object.entries(input).filter(([, value]) => value !== null && value !== undefined));
  const allowed = given.has('spec') ? ['spec'] : ['rows', 'kind', 'x', 'y', 'color', 'title'];
  const strange = [...given.keys()].find((key) => !allowed.includes(key));
  if (strange !== undefined) {
    throw refused([...AT, strange], `It is not understood here, beside ${allowed.join(', ')}`);
  }
  if (!given.has('spec')) return parseRows(given);
  const spec = copyJson(given.get('spec'), [...AT, 'spec'], MAX_SPEC_BYTES);
  if (!isObject(spec)) throw refused([...AT, 'spec'], 'A specification is a JSON object');
  checkSpec(spec, [...AT, 'spec']);
  return { spec, kind: null };
}

function parseRows(given: ReadonlyMap<string, unknown>): Chart {
  const kind = CHART_KINDS.find((one) => one === given.get('kind'));
  if (!kind) throw refused([...AT, 'kind'], `The kind is one of ${CHART_KINDS.join(', ')}`);
  const rows = given.get('rows');
  if (!Array.isArray(rows) || rows.length === 0) throw refused([...AT, 'rows'], 'There are no rows to draw');
  if (rows.length > MAX_ROWS) throw refused([...AT, 'rows'], `There are more than ${MAX_ROWS} rows`);
  const copied = copyJson(rows, [...AT, 'rows'], MAX_ROWS_BYTES) as readonly Json[];
  const table = copied.map((row, i) => {
    if (!isObject(row)) throw refused([...AT, 'rows', String(i)], 'A row is an object of named values');
    return row;
  });
  const x = readColumn(table, 'x', given.get('x'));
  const y = readColumn(table, 'y', given.get('y'));
  const color = given.has('color') ? readColumn(table, 'color', given.get('color')) : null;
  if (!y.values.every((value) => value === null || typeof value === 'number')) {
    throw refused([...AT, 'y'], `The column ${JSON.stringify(y.name)} holds something that is no number`);
  }
  if (kind === 'PIE' && color) throw refused([...AT, 'color'], 'A pie has a colour for each x already');
  if (kind === 'PIE' && y.values.some((value) => Number(value) < 0)) {
    throw refused([...AT, 'y'], 'A pie has no slices below zero');
  }
  // The columns are renamed, because the names of fields are a small language of their own in Vega-Lite.
  const across = typeOf(x) === 'temporal' ? x.values.map(timeOf) : x.values;
  const values = table.map((_, i) => ({
    x: across[i] ?? null,
    y: y.values[i] ?? null,
    ...(color ? { color: color.values[i] ?? null } : {}),
  }));
  return { kind, spec: write(kind, { values, x, y, color, title: readTitle(given.get('title')) }) };
}

interface Column {
  readonly name: string;
  readonly values: readonly Json[];
}

function readColumn(table: readonly JsonObject[], field: string, name: unknown): Column {
  if (typeof name !== 'string' || name === '' || name.length > 200) {
    throw refused([...AT, field], `Say which column of the rows is ${field}`);
  }
  if (!table.some((row) => Object.hasOwn(row, name))) {
    const there = [...new Set(table.slice(0, 100).flatMap((row) => Object.keys(row)))].slice(0, 20);
    throw refused([...AT, field], `No row has ${JSON.stringify(name)}; there are ${there.join(', ')}`);
  }
  const values = table.map((row) => (Object.hasOwn(row, name) ? (row[name] ?? null) : null));
  if (values.some((value) => typeof value === 'object' && value !== null)) {
    throw refused([...AT, field], `The column ${JSON.stringify(name)} holds lists or objects`);
  }
  return { name, values };
}

function readTitle(title: unknown): string | null {
  if (title === undefined) return null;
  if (typeof title === 'string' && title.length <= 500) return title;
  throw refused([...AT, 'title'], 'A title is a text of at most 500 characters');
}

const MARKS: Readonly<Record<ChartKind, JsonObject>> = {
  BAR: { type: 'bar', cornerRadiusEnd: 2 },
  LINE: { type: 'line', strokeWidth: 2.5, strokeJoin: 'round' },
  AREA: { type: 'area', opacity: 0.8, line: true },
  POINT: { type: 'point', filled: true, size: 50, opacity: 0.75 },
  PIE: { type: 'arc', stroke: '#fff', strokeWidth: 1.5 },
};

const LOOK: JsonObject = {
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

function write(kind: ChartKind, { values, x, y, color, title }: Table): JsonObject {
  const more = { ...(title === null ? {} : { title }), data: { values }, mark: MARKS[kind], config: LOOK };
  if (kind === 'PIE') {
    const encoding = {
      theta: { field: 'y', type: 'quantitative', aggregate: 'sum', stack: true },
      color: { field: 'x', type: 'nominal', title: x.name, sort: null },
      order: { field: 'y', type: 'quantitative', aggregate: 'sum', sort: 'descending' },
    };
    return { ...more, encoding };
  }
  const across = kind === 'BAR' && typeOf(x) === 'quantitative' ? 'ordinal' : typeOf(x);
  const summed = kind === 'BAR' || kind === 'AREA' ? { aggregate: 'sum' } : {};
  const encoding = {
    x: {
      field: 'x',
      type: across,
      title: x.name,
      // Names stand in the order in which they came; numbers and times in their own.
      ...(across === 'nominal' ? { sort: null } : {}),
      ...(across === 'quantitative' ? { scale: { zero: false, padding: kind === 'POINT' ? 12 : 0 } } : {}),
      // The same everywhere, whatever the time zone of the server.
      ...(across === 'temporal' ? { scale: { type: 'utc' } } : {}),
      axis: {
        ...(across === 'nominal' || across === 'ordinal' ? { labelAngle: labelAngle(x) } : {}),
        grid: kind === 'POINT',
      },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: y.name,
      ...summed,
      ...(kind === 'POINT' ? { scale: { padding: 12 } } : {}),
    },
    ...(color
      ? {
          color: {
            field: 'color',
            type: typeOf(color) === 'quantitative' ? 'quantitative' : 'nominal',
            title: color.name,
          },
        }
      : {}),
  };
  return { ...more, encoding };
}

function typeOf({ values }: Column): 'quantitative' | 'temporal' | 'nominal' {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return 'nominal';
  if (known.every((value) => typeof value === 'number')) return 'quantitative';
  const date = /^\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?)?$/;
  return known.every((value) => typeof value === 'string' && date.test(value)) ? 'temporal' : 'nominal';
}

/** Milliseconds since 1970; what names no zone is taken for UTC. */
function timeOf(value: Json): Json {
  if (typeof value !== 'string') return null;
  const zoned = /[T ]/.test(value) && !/(Z|[+-]\d{2}:?\d{2})$/.test(value) ? `${value}Z` : value;
  const time = Date.parse(zoned.replace(' ', 'T'));
  return Number.isNaN(time) ? null : time;
}

function labelAngle({ values }: Column): number {
  const names = new Set(values.map(String));
  const longest = Math.max(...[...names].map((name) => name.length));
  return names.size * longest > 56 ? -40 : 0;
}
