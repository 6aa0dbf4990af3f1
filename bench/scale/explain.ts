/** Explains the statements that a function of the product sends. */
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Database, Queryable } from '../../src/database/database.ts';

export interface Explained {
  readonly text: string;
  readonly pages: number;
  readonly how: string;
  readonly plan: string;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Relation Name'?: string;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/**
 * Returns a database that explains each statement after sending it, with the plan of the prepared statement.
 */
export function explaining(database: Database, explained: Explained[], withText: boolean): Database {
  const on = (queryable: Queryable): Queryable => ({
    async query(text, values = [], options = {}) {
      const rows = await queryable.query(text, values, options);
      if (/^\s*(EXPLAIN|SELECT set_config|SELECT now)/.test(text)) return rows as never;
      const name = `fixative_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
      const statement =
        options.planned || values.length === 0
          ? { text, values }
          : { text: `EXECUTE ${name}(${values.map(literal).join(', ')})`, values: [] };
      const how = async (format: string) =>
        queryable.query<{ 'QUERY PLAN': unknown }>(
          `EXPLAIN (ANALYZE, BUFFERS, FORMAT ${format}) ${statement.text}`,
          statement.values,
          { planned: true },
        );
      const [json] = (await how('JSON')) as { 'QUERY PLAN': [{ Plan: PlanNode }] }[];
      const plan = json?.['QUERY PLAN'][0].Plan as PlanNode;
      explained.push({
        text,
        pages: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
        how: describe(plan),
        plan:
          options.planned || withText ? (await how('TEXT')).map((row) => row['QUERY PLAN']).join('\n') : '',
      });
      return rows as never;
    },
  });
  return {
    ...database,
    ...on(database),
    transaction: (work) => database.transaction((transaction) => work(on(transaction))),
    snapshot: (work) => database.snapshot((state) => work(on(state))),
  };
}

function describe(plan: PlanNode): string {
  const found = new Set<string>();
  const visit = (node: PlanNode) => {
    const what =
      node['Index Name'] ?? (/Seq Scan/.test(node['Node Type']) ? `all of ${node['Relation Name']}` : null);
    if (what) found.add(what.replace('idx_generated_images_', '').replace('generated_images_', ''));
    if (node['Node Type'] === 'Sort') found.add('sort');
    for (const below of node.Plans ?? []) visit(below);
  };
  visit(plan);
  return [...found].join(' + ');
}

/** Returns a value as an SQL literal. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number') return String(value);
  if (value instanceof Date) return pg.escapeLiteral(value.toISOString());
  if (Array.isArray(value))
    return pg.escapeLiteral(`{${value.map((each) => JSON.stringify(each)).join(',')}}`);
  return pg.escapeLiteral(String(value));
}
