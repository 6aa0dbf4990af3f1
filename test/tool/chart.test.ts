import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { parseChart } from '../../src/tool/chart.ts';
import { drawChart } from '../../src/tool/chart-drawing.ts';
import type { Chart } from '../../src/tool/chart-json.ts';
import { MAX_ROWS } from '../../src/tool/chart-spec.ts';

const ROWS = [
  { month: 'May', day: '2026-05-01', sales: 20, cost: 3.5, region: 'North' },
  { month: 'May', day: '2026-05-01', sales: 12, cost: 9, region: 'South' },
  { month: 'April', day: '2026-04-01', sales: 31, cost: 7, region: 'North' },
  { month: 'April', day: '2026-04-01', sales: null, cost: 8, region: 'South' },
];

const values = [
  { a: 1, b: 2 },
  { a: 2, b: 5 },
];
const ENCODING = { x: { field: 'a', type: 'quantitative' }, y: { field: 'b', type: 'quantitative' } };
const PLAIN = { data: { values }, mark: 'point', encoding: ENCODING };

function withX(more: object): unknown {
  return { ...PLAIN, encoding: { ...ENCODING, x: { ...ENCODING.x, ...more } } };
}

function calculating(calculate: string): unknown {
  return { ...PLAIN, transform: [{ calculate, as: 'b' }] };
}

function fault(input: unknown): { inputPath: readonly string[]; message: string } {
  try {
    parseChart(input);
  } catch (error) {
    expect(error).toMatchObject({ name: 'InputError', code: 'INVALID_INPUT' });
    return error as { inputPath: readonly string[]; message: string };
  }
  throw new Error('The chart was accepted.');
}

async function coloursIn(bytes: Uint8Array): Promise<number> {
  const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  const seen = new Set<number>();
  for (let at = 0; at < data.length; at += 3) seen.add(data.readUIntBE(at, 3));
  return seen.size;
}

describe('a chart from rows', () => {
  test.each([
    ['BAR', 'month', 'region'],
    ['BAR', 'cost', undefined],
    ['LINE', 'day', 'region'],
    ['AREA', 'day', 'region'],
    ['POINT', 'cost', 'region'],
    ['PIE', 'month', undefined],
  ])('of kind %s over %s is a PNG of exactly the size', async (kind, x, color) => {
    const chart = parseChart({ rows: ROWS, kind, x, y: 'sales', color, title: 'Sales <&> "more"' });
    const { bytes, metadata } = await drawChart(chart, '640x400');
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width: 640, height: 400 });
    expect(metadata).toEqual({ kind, width: 640, height: 400 });
    expect(await coloursIn(bytes)).toBeGreaterThan(20);
  });

  test('has the same bytes every time', async () => {
    const chart = parseChart({ rows: ROWS, kind: 'LINE', x: 'day', y: 'sales', color: 'region' });
    const [one, other] = await Promise.all([drawChart(chart, '300x200'), drawChart(chart, '300x200')]);
    expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
  });

  test('accepts any column name', async () => {
    for (const name of ['a.b', 'a[0]', "it's", 'x"y', 'datum', '\\', ' ', 'ünï', 'hasOwnProperty']) {
      const chart = parseChart({
        rows: [
          { [name]: 'one', y: 1 },
          { [name]: 'two', y: 2 },
        ],
        kind: 'BAR',
        x: name,
        y: 'y',
      });
      expect(JSON.stringify(chart.spec)).toContain('"two"');
    }
    const odd = parseChart({ rows: [{ 'a.b[0]': 1, y: 1 }], kind: 'POINT', x: 'a.b[0]', y: 'y' });
    expect((await drawChart(odd, '100x100')).bytes.length).toBeGreaterThan(100);
  });

  test('can be stored as JSON and drawn later', async () => {
    const chart = parseChart({ rows: ROWS, kind: 'BAR', x: 'month', y: 'sales' });
    const kept = JSON.parse(JSON.stringify(chart)) as Chart;
    expect(kept).toEqual(chart);
  });

  test('reads times without a zone as UTC', () => {
    const { spec } = parseChart({
      rows: [
        { t: '2026-01-01T00:00', y: 1 },
        { t: '2026-01-01 01:00', y: 1 },
        { t: '2026-01-01T02:00+02:00', y: 1 },
      ],
      kind: 'LINE',
      x: 't',
      y: 'y',
    });
    const midnight = Date.UTC(2026, 0, 1);
    expect(spec.data).toEqual({
      values: [midnight, midnight + 3_600_000, midnight].map((x) => ({ x, y: 1 })),
    });
  });

  test.each([
    ['no object', 'SELECT 1', []],
    ['nothing', {}, ['kind']],
    ['both ways at once', { spec: PLAIN, rows: ROWS }, ['rows']],
    ['an unknown field', { rows: ROWS, kind: 'BAR', x: 'month', y: 'sales', url: 'x' }, ['url']],
    ['an unknown kind', { rows: ROWS, kind: 'DONUT', x: 'month', y: 'sales' }, ['kind']],
    ['no rows', { rows: [], kind: 'BAR', x: 'month', y: 'sales' }, ['rows']],
    ['rows that are none', { rows: [1, 2], kind: 'BAR', x: 'month', y: 'sales' }, ['rows', '0']],
    ['a column that is not there', { rows: ROWS, kind: 'BAR', x: 'week', y: 'sales' }, ['x']],
    ['a column of Object', { rows: ROWS, kind: 'BAR', x: 'toString', y: 'sales' }, ['x']],
    ['heights that are texts', { rows: ROWS, kind: 'BAR', x: 'month', y: 'region' }, ['y']],
    ['NaN', { rows: [{ a: 'x', b: Number.NaN }], kind: 'BAR', x: 'a', y: 'b' }, ['rows', '0', 'b']],
    ['slices below zero', { rows: [{ a: 'x', b: -1 }], kind: 'PIE', x: 'a', y: 'b' }, ['y']],
    ['a pie with a colour', { rows: ROWS, kind: 'PIE', x: 'month', y: 'sales', color: 'region' }, ['color']],
    ['20,000 rows', { rows: Array(20_000).fill({ a: 1, b: 1 }), kind: 'BAR', x: 'a', y: 'b' }, ['rows']],
  ])('is rejected for %s', (_, input, path) => {
    expect(fault(input).inputPath).toEqual(['input', 'chart', ...path]);
  });

  test('draws the maximum number of rows', async () => {
    const rows = Array.from({ length: MAX_ROWS }, (_, i) => ({ a: i, b: (i * 7919) % 1000 }));
    const { bytes } = await drawChart(parseChart({ rows, kind: 'POINT', x: 'a', y: 'b' }), '400x300');
    expect(await coloursIn(bytes)).toBeGreaterThan(5);
  });
});

describe('a chart from a specification', () => {
  test('has exactly the requested size when it names none', async () => {
    const { bytes } = await drawChart(parseChart({ spec: PLAIN }), '1023x767');
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 1023, height: 767 });
  });

  test('keeps its own shape and is scaled to fit', async () => {
    const spec = { ...PLAIN, width: 600, height: 100, config: { axis: { labels: false, title: null } } };
    const { metadata } = await drawChart(parseChart({ spec }), '400x400');
    expect(metadata.width).toBe(400);
    expect(metadata.height).toBeLessThan(120);
  });

  test('may compute its data', async () => {
    const spec = {
      data: { sequence: { start: 0, stop: 12, step: 0.1, as: 'a' } },
      transform: [{ calculate: 'sin(datum.a)', as: 'b' }],
      mark: 'line',
      encoding: ENCODING,
    };
    expect(await coloursIn((await drawChart(parseChart({ spec }), '300x200')).bytes)).toBeGreaterThan(20);
  });

  test('may spell its types in every way that Vega-Lite accepts', () => {
    for (const type of ['Quantitative', 'Q', 'q', 'geojson'])
      expect(() => parseChart({ spec: withX({ type }) })).not.toThrow();
  });

  test('may have any text', async () => {
    const spec = { ...PLAIN, title: 'See <image href="http://x"> url(http://x) & "more" >' };
    expect((await drawChart(parseChart({ spec }), '300x200')).bytes.length).toBeGreaterThan(100);
  });

  const deep = JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`);
  const bottomless = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  test.each<[string, unknown, readonly string[] | null]>([
    ['that is a text', 'mark: point', ['spec']],
    [
      'with data of the network',
      { ...PLAIN, data: { url: 'https://example.com/x.json' } },
      ['spec', 'data', 'url'],
    ],
    ['with data of a file', { ...PLAIN, data: { url: 'file:///etc/passwd' } }, ['spec', 'data', 'url']],
    [
      'that looks up from an address',
      {
        ...PLAIN,
        transform: [{ lookup: 'a', from: { data: { url: '/etc/passwd' }, key: 'a', fields: ['b'] } }],
      },
      ['spec', 'transform', '0', 'from', 'data', 'url'],
    ],
    ['with an image mark', { ...PLAIN, mark: 'image' }, ['spec', 'mark']],
    [
      'with an image mark in a layer',
      { layer: [{ mark: { type: 'image' } }] },
      ['spec', 'layer', '0', 'mark'],
    ],
    [
      'with an address for its marks',
      { ...PLAIN, encoding: { url: { value: 'x' } } },
      ['spec', 'encoding', 'url'],
    ],
    ['with a link', { ...PLAIN, mark: { type: 'point', href: 'javascript:1' } }, ['spec', 'mark', 'href']],
    ['with settings for embedding', { ...PLAIN, usermeta: { embedOptions: {} } }, ['spec', 'usermeta']],
    ['that says nothing', {}, ['spec']],
    ['of an unknown mark', { mark: 'nope' }, ['spec', 'mark']],
    ['of layers that are no list', { layer: 3 }, ['spec', 'layer']],
    ['of a view that is none', { hconcat: [PLAIN, 1] }, ['spec', 'hconcat', '1']],
    [
      'of a facet without a mark',
      { facet: { field: 'a' }, spec: { layer: [{}] } },
      ['spec', 'spec', 'layer', '0'],
    ],
    ['of an encoding that is none', { mark: 'bar', encoding: 3 }, ['spec', 'encoding']],
    ['of a channel that is a text', { mark: 'bar', encoding: { x: 'a' } }, ['spec', 'encoding', 'x']],
    [
      'of an unknown type',
      { mark: 'bar', encoding: { tooltip: [{ field: 'a' }, { field: 'a', type: 'oops' }] } },
      ['spec', 'encoding', 'tooltip', 'type'],
    ],
    ['of a transform that is no list', { ...PLAIN, transform: { filter: 'true' } }, ['spec', 'transform']],
    ['of Vega', { ...PLAIN, $schema: 'https://vega.github.io/schema/vega/v6.json' }, ['spec', '$schema']],
    ['with CSV', { ...PLAIN, data: { values: 'a,b\n1,2' } }, ['spec', 'data', 'values']],
    [
      'with another format',
      { ...PLAIN, data: { values, format: { type: 'topojson' } } },
      ['spec', 'data', 'format', 'type'],
    ],
    [
      'with an endless sequence',
      { ...PLAIN, data: { sequence: { start: 0, stop: 1e12 } } },
      ['spec', 'data', 'sequence'],
    ],
    [
      'with steps too small to end',
      { ...PLAIN, data: { sequence: { start: 0, stop: 1, step: 1e-12 } } },
      ['spec', 'data', 'sequence'],
    ],
    ['with 20,000 rows', { ...PLAIN, data: { values: Array(20_000).fill(1) } }, ['spec', 'data', 'values']],
    [
      'with 20,000 rows in two sets',
      { ...PLAIN, datasets: { a: Array(9_000).fill(1), b: Array(11_000).fill(1) } },
      ['spec', 'datasets', 'b'],
    ],
    ['of 300 KiB', { ...PLAIN, description: 'x'.repeat(300 * 1024) }, ['spec']],
    ['nested 200 deep', { ...PLAIN, config: deep }, ['spec']],
    ['nested 100,000 deep', { ...PLAIN, config: bottomless }, ['spec']],
    ['of NaN width', { ...PLAIN, width: Number.NaN }, ['spec', 'width']],
    ['of endless height', { ...PLAIN, height: Number.POSITIVE_INFINITY }, ['spec', 'height']],
    ['wider than the limit', { ...PLAIN, width: 5000 }, ['spec', 'width']],
    ['with steps wider than the limit', { ...PLAIN, width: { step: 1e9 } }, ['spec', 'width']],
    ['below no pixels', { ...PLAIN, height: -1 }, ['spec', 'height']],
    ['as wide as its container', { ...PLAIN, width: 'container' }, ['spec', 'width']],
    ['with the key __proto__', JSON.parse('{"mark":"point","__proto__":{"polluted":1}}'), ['spec']],
    [
      'with the key constructor',
      { ...PLAIN, config: { constructor: { prototype: {} } } },
      ['spec', 'config'],
    ],
    ['that holds a function', { ...PLAIN, title: () => 1 }, ['spec', 'title']],
    ['that holds a date', { ...PLAIN, title: new Date() }, ['spec', 'title']],
  ])('%s is rejected', (_, spec, path) => {
    expect(fault({ spec }).inputPath.slice(0, 12)).toEqual(['input', 'chart', ...(path ?? [])]);
    expect((Object.prototype as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['that names no signal', { mark: { type: 'bar', color: { expr: 'zz' } } }],
    ['of a format that is none', withX({ axis: { format: 'zzz' } })],
    ['of a range that is none', withX({ scale: { range: 'nope' } })],
    ['whose scale is a text in a list', withX({ scale: { domain: [null, { a: [] }] }, bin: { step: {} } })],
    ['that calls a constructor', calculating("datum.constructor.constructor('return 1')()")],
    ['that makes a function', calculating("slice({slice: datum.constructor}, 'return 1')")],
    ['that asks for this', calculating('this')],
    ['that asks for globalThis', calculating('globalThis.process.env')],
    ['that evaluates', calculating("eval('1')")],
    ['that requires', calculating("require('fs')")],
    ['that imports', calculating("import('fs')")],
    ['that assigns', calculating('datum.a = 1')],
    ['that makes a list without end', calculating('length(sequence(1e12))')],
    ['whose colour is an address', { ...PLAIN, mark: { type: 'point', fill: 'url(http://127.0.0.1:9/x)' } }],
    [
      'of two hundred charts side by side',
      { hconcat: Array(200).fill({ data: { values: [{ a: 1 }] }, mark: 'bar', width: 4000 }) },
    ],
  ])('%s is not drawn, and the error says why', async (_, spec) => {
    const error = await drawChart(parseChart({ spec }), '200x200').catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', inputPath: ['input', 'chart'] });
    expect((error as Error).message).not.toMatch(
      /node_modules|\/src\/|\.\.$|Cannot read|is not a function|undefined/,
    );
  });

  test.each<[string, unknown]>([
    ['a pattern that never ends', calculating(`test(/^(a+)+$/, '${'a'.repeat(60)}b')`)],
    ['a density of a billion steps', { ...PLAIN, transform: [{ density: 'a', steps: 1e9 }] }],
    ['a billion ticks', { ...PLAIN, encoding: { x: { ...ENCODING.x, axis: { tickCount: 1e9 } } } }],
    ['an endless grid', { data: { graticule: { step: [1e-4, 1e-4] } }, mark: 'geoshape' }],
    ['a list of a hundred million', calculating('sequence(100000000)')],
    ['a text of half a gigabyte', calculating("pad('x', 500000000)")],
    [
      'rows that multiply',
      {
        ...PLAIN,
        transform: ['q', 'r'].flatMap((as) => [{ calculate: 'sequence(3000)', as }, { flatten: [as] }]),
      },
    ],
  ])('%s is stopped at its time limit', async (_, spec) => {
    const began = performance.now();
    const drawing = drawChart(parseChart({ spec }), '200x200', { timeoutSeconds: 2 });
    await expect(drawing).rejects.toMatchObject({ code: 'INVALID_INPUT', inputPath: ['input', 'chart'] });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(process.memoryUsage().rss).toBeLessThan(1_000 * 1024 * 1024);
  });

  test.each([
    { ...PLAIN, data: { url: 'file:///etc/passwd', format: { type: 'csv' } } },
    { ...PLAIN, data: { url: 'http://127.0.0.1:9/x.json' } },
    { ...PLAIN, data: { values: 'a,b\n1,2', format: { type: 'csv' } } },
    { ...PLAIN, mark: 'image', encoding: { ...ENCODING, url: { value: '/etc/passwd' } } },
  ])('loads nothing and compiles no code, even unchecked: %j', async (spec) => {
    const drawing = drawChart({ spec, kind: null }, '200x200');
    await expect(drawing).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is stopped when its signal is aborted', async () => {
    const spec = calculating(`test(/^(a+)+$/, '${'a'.repeat(60)}b')`);
    const signal = AbortSignal.timeout(300);
    await expect(drawChart(parseChart({ spec }), '200x200', { signal })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});
