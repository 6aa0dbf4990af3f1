/**
 * Parses charts. A client gives rows and the names of their columns, or a Vega-Lite specification. Both
 * become one specification, which chart-drawing.ts draws.
 */
import { CHART_PATH, type Chart, chartError, copyJson, isObject } from './chart-json.ts';
import { parseRowsChart } from './chart-rows.ts';
import { checkSpec } from './chart-spec.ts';

const MAX_SPEC_BYTES = 256 * 1024;

/**
 * Parses the client's chart: `{ spec }` or `{ rows, kind, x, y, color?, title? }`.
 * @throws InputError INVALID_INPUT; `path` names the faulty part
 */
export function parseChart(input: unknown): Chart {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw chartError(CHART_PATH, 'Give a Vega-Lite specification as spec, or rows with kind, x and y');
  }
  const fields = new Map(Object.entries(input).filter(([, value]) => value !== null && value !== undefined));
  const allowed = fields.has('spec') ? ['spec'] : ['rows', 'kind', 'x', 'y', 'color', 'title'];
  const unknown = [...fields.keys()].find((key) => !allowed.includes(key));
  if (unknown !== undefined) {
    throw chartError(
      [...CHART_PATH, unknown],
      `This field is not allowed. The fields are ${allowed.join(', ')}`,
    );
  }
  if (!fields.has('spec')) return parseRowsChart(fields);
  const spec = copyJson(fields.get('spec'), [...CHART_PATH, 'spec'], MAX_SPEC_BYTES);
  if (!isObject(spec)) throw chartError([...CHART_PATH, 'spec'], 'A specification must be a JSON object');
  checkSpec(spec, [...CHART_PATH, 'spec']);
  return { spec, kind: null };
}
