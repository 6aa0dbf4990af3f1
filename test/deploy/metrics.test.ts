import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { parser } from '@prometheus-io/lezer-promql';
import { Histogram, Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { makeMetrics } from '../../src/metrics.ts';
import { GenerateImageDocument, ImagesDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makeRandom } from '../pictures.ts';

const PROMTOOL = '/usr/bin/promtool';
const ROOT = new URL('../../', import.meta.url);
const readText = (name: string) => readFile(new URL(name, ROOT), 'utf8');

interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly value: string; readonly op: string }[];
  /** Labels that the expression groups by. */
  readonly grouped: readonly string[];
}

/** Reads the selectors of an expression of PromQL, and the labels that it groups by. */
function selectorsOf(expression: string): Selector[] {
  const text = expression.replaceAll('$__rate_interval', '5m');
  const tree = parser.parse(text);
  const selectors: { metric: string; matchers: Selector['matchers'][number][] }[] = [];
  const grouped: string[] = [];
  tree.iterate({
    enter({ type, from, to, node }) {
      const own = text.slice(from, to);
      if (type.isError) throw new Error(`${expression}: not PromQL at ${from}: ${own}`);
      if (type.name === 'VectorSelector')
        selectors.push({ metric: text.slice(from, node.firstChild?.to), matchers: [] });
      if (type.name === 'UnquotedLabelMatcher') {
        const [, label = '', op = '', value = ''] = /^\s*(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(own) ?? [];
        selectors.at(-1)?.matchers.push({ label, op, value });
      }
      if (type.name === 'GroupingLabels') grouped.push(...(own.match(/\w+/g) ?? []));
    },
  });
  return selectors.map((selector) => ({ ...selector, grouped }));
}

/** Labels that Prometheus itself adds, and the series that it makes. */
const OF_PROMETHEUS = ['instance', 'job', 'le'];

describe('metrics', () => {
  let app: TestApp;
  /** Sets of labels of each metric that a server exposes. */
  let exposed: Map<string, Map<string, Set<string>>>;
  let scraped: string;
  beforeAll(async () => {
    app = await openTestApp();
    const input = { prompt: 'a fox', userId: 'u1', waitSeconds: 10 };
    const { generateImage } = await app.ask(GenerateImageDocument, { input });
    for (let i = 0; i < 3; i++) await app.ask(ImagesDocument, {});
    await app.send(ImagesDocument, { first: 101 });
    await (await app.fetch('/images/none/none')).text();
    await app.database.query(
      `INSERT INTO maintenance_runs (kind, state, stores, options, started_by, finished_at)
       VALUES ('VERIFY', 'COMPLETED', '{}', '{}', 'root', now())`,
    );
    // The cache of bytes is asked for bytes that are delivered.
    const url = new URL(generateImage.images[0]?.url ?? '');
    for (let i = 0; i < 4; i++) await (await app.fetch(url.pathname)).arrayBuffer();
    scraped = await (await app.fetch('/metrics')).text();
    exposed = new Map();
    for (const [, name = '', labels = ''] of scraped.matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
      const known = exposed.get(name) ?? new Map<string, Set<string>>();
      for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="([^"]*)"/g))
        known.set(label, (known.get(label) ?? new Set()).add(value));
      exposed.set(name, known);
    }
  });
  afterAll(() => app.close());

  function expectExposed(expression: string): void {
    const selectors = selectorsOf(expression);
    expect(selectors.length, expression).toBeGreaterThan(0);
    for (const { metric, matchers, grouped } of selectors) {
      if (metric === 'up') continue;
      const labels = exposed.get(metric);
      expect(labels, `${metric} in ${expression}`).toBeDefined();
      for (const { label, op, value } of matchers) {
        expect([...OF_PROMETHEUS, ...(labels?.keys() ?? [])], expression).toContain(label);
        // Values that need no fault to be exposed.
        if (op === '=' && !['INTERNAL'].includes(value))
          expect([...(labels?.get(label) ?? [])], expression).toContain(value);
      }
      for (const label of grouped)
        expect([...OF_PROMETHEUS, ...(labels?.keys() ?? [])], `${metric} in ${expression}`).toContain(label);
    }
  }

  test('each expression of the dashboard asks for what is exposed', async () => {
    const { panels } = JSON.parse(await readText('deploy/grafana/fixative.json')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(30);
    for (const expression of expressions) expectExposed(expression);
  });

  test('each expression of the alerts asks for what is exposed', async () => {
    const { groups } = parse(await readText('deploy/prometheus/fixative.rules.yml')) as {
      groups: { rules: { alert: string; expr: string }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(10);
    for (const { expr } of rules) expectExposed(expr);
  });

  test('an expression with a name that is not exposed, or without sense, is found', () => {
    expect(() => expectExposed('max(fixative_nothing)')).toThrow('fixative_nothing');
    expect(() => expectExposed('max by (nothing) (fixative_copies)')).toThrow('nothing');
    expect(() => expectExposed('fixative_copies{state="nothing"}')).toThrow('nothing');
    expect(() => expectExposed('max(fixative_copies')).toThrow('not PromQL');
  });

  test('every metric is in docs/operating.md, and no other', async () => {
    const text = await readText('docs/operating.md');
    const documented = new Set(
      [...text.matchAll(/^\| `((?:fixative|process)_[a-z_]+)/gm)].map(([, name]) => name),
    );
    const families = [...scraped.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect([...documented].sort()).toEqual([...new Set(families)].sort());
  });

  test('our own histogram is that of prom-client', async () => {
    const metrics = makeMetrics();
    const limits = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
    const registry = new Registry();
    const registers = [registry];
    const name = 'fixative_http_requests_seconds';
    const plain = new Histogram({ name, help: 'plain', labelNames: ['route'], buckets: limits, registers });
    const random = makeRandom(19);
    for (let i = 0; i < 3000; i++) {
      const route = ['/graphql', '/images/{name}', 'none'][Math.floor(random() * 3)] as string;
      const seconds = i % 10 === 0 ? (limits[i % limits.length] as number) : 20 * random() ** 6;
      metrics.requests.note({ route, status: '200' }, seconds);
      plain.observe({ route }, seconds);
    }
    const linesOf = (text: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith(name) && !line.includes('_sum'))
        .sort();
    const lines = linesOf(await metrics.registry.metrics());
    expect(lines.length).toBe(3 * (limits.length + 2));
    expect(lines).toEqual(linesOf(await registry.metrics()));
  });

  test('labels come from our own lists, not from the client', async () => {
    const query = 'query Secret_Name { images { nodes { id } } tools { name } }';
    await app
      .fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      })
      .then((r) => r.text());
    for (let i = 0; i < 20; i++) await (await app.fetch(`/nothing/${i}`)).text();
    const text = await (await app.fetch('/metrics')).text();
    expect(text).toContain('operation="query several"');
    expect(text).not.toContain('Secret_Name');
    expect(text).not.toContain('nothing');
  });

  test.skipIf(!existsSync(PROMTOOL))(
    'promtool accepts the rules, the configuration and what is exposed',
    async () => {
      const run = promisify(execFile);
      const file = (name: string) => new URL(`deploy/prometheus/${name}`, ROOT).pathname;
      await run(PROMTOOL, ['check', 'rules', file('fixative.rules.yml')]);
      await run(PROMTOOL, ['check', 'config', file('prometheus.yml')]);
      const child = run(PROMTOOL, ['check', 'metrics']);
      child.child.stdin?.end(scraped);
      expect((await child).stdout).toBe('');
    },
  );
});
